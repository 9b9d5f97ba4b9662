from __future__ import annotations

import pytest

from tests.unit.workers.summarization.texts import LANGUAGES
from workers.summarization.languages import are_alike, detect_language, find_foreign_script, find_language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_prose_is_known(language: str) -> None:
    assert detect_language(LANGUAGES[language]) == language


@pytest.mark.parametrize(
    "text", ["", "Short.", "lr=0.001 x2 160x80 " * 30, "`let x = 1;` " * 30, "https://example.org/some/path " * 10]
)
def test_a_text_without_prose_has_no_clear_language(text: str) -> None:
    assert detect_language(text) is None


def test_a_language_is_found_in_its_english_name() -> None:
    names = ["German", "Brazilian Portuguese", "Chinese (simplified)", "Norwegian", "Klingon"]
    assert [find_language(name) for name in names] == ["german", "portuguese", "chinese", "bokmal", None]


@pytest.mark.parametrize(
    "text",
    [
        "Juan Carlos Ferreira and Giovanni Esposito signed the contract with Compagnie Générale des Eaux in Lyon.",
        "The minister Jean-Claude Dupont met Marie Leblanc at the Palais de la République in Paris.",
        "Wolfgang Schmidt and Jürgen Müller of Deutsche Bank opened a branch in Köln.",
    ],
)
def test_names_from_another_language_are_no_evidence_of_it(text: str) -> None:
    assert detect_language(text) in (None, "english")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Stadt hat im März eine neue Brücke eröffnet, an der vier Jahre gebaut wurde.", "german"),
        ("El puente nuevo fue inaugurado en marzo por el alcalde Juan Carlos Ferreira de Madrid.", "spanish"),
        ("新桥于三月开放，市民非常高兴。老桥只供行人使用。", "chinese"),
    ],
)
def test_a_text_with_names_or_few_characters_has_its_language(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_languages_that_look_the_same_are_alike() -> None:
    assert are_alike("bokmal", "nynorsk")
    assert are_alike("french", "french")
    assert not are_alike("german", "dutch")


ENGLISH = (
    "The new bridge over the river opened in March after four years of work. Ten thousand cars cross it every day."
)
HINDI = "नदी पर नया पुल मार्च में खुला। उसे बनाने में चार साल लगे। पुल से रोज़ दस हज़ार गाड़ियाँ गुज़रती हैं।"
CHINESE = "新桥于三月开放，市民非常高兴。老桥只供行人使用，每天有一万辆汽车通过新桥。"


@pytest.mark.parametrize(
    ("answer", "source", "language", "scripts"),
    [
        ("The bridge opened.", HINDI, None, ("Latin", "Devanagari")),
        ("新桥于三月开放。", ENGLISH, None, ("Chinese", "Latin")),
        ("新しい橋は三月に開通した。", ENGLISH, None, ("Japanese", "Latin")),
        ("새로운 다리가 개통되었다.", ENGLISH, None, ("Korean", "Latin")),
        ("पुल मार्च में खुला।", ENGLISH, None, ("Devanagari", "Latin")),
        ("புதிய பாலம் திறக்கப்பட்டது.", ENGLISH, None, ("Tamil", "Latin")),
        ("Мост был открыт.", ENGLISH, None, ("Cyrillic", "Latin")),
        ("The bridge opened 开放三月市民 after four years.", ENGLISH, None, ("Chinese", "Latin")),
        ("新桥于三月开放。", CHINESE, "English", ("Chinese", "Latin")),
        ("The bridge opened in March.", ENGLISH, "Burmese", ("Latin", "Myanmar")),
    ],
)
def test_a_few_words_in_the_wrong_script_are_seen(
    answer: str, source: str, language: str | None, scripts: tuple[str, str]
) -> None:
    assert find_foreign_script(answer, source, language=language) == scripts


@pytest.mark.parametrize(
    ("answer", "source", "language"),
    [
        ("The bridge opened, said Пётр Иванов.", ENGLISH, None),
        ("The angles α, β and μ are small.", ENGLISH, None),
        ("पुल को Compagnie Générale des Eaux ने मार्च में खोला।", HINDI, None),
        ("新桥由 Siemens Mobility Deutschland GmbH 建造，于三月开放。", CHINESE, None),
        ("The bridge opened in March.", CHINESE, "English"),
        ("Novi most je otvoren u martu.", ENGLISH, "Serbian"),
        ("新桥于三月开放。", ENGLISH, "Klingon"),
        ("42", ENGLISH, None),
    ],
)
def test_names_and_terms_in_another_script_are_not(answer: str, source: str, language: str | None) -> None:
    assert find_foreign_script(answer, source, language=language) is None
