from __future__ import annotations

import pytest

from workers.summarization.languages import detect_language, find_language

TEXTS = {
    "english": "The approach is similar to audio classification, with many augmentations and a helper model.",
    "german": "Der Ansatz \u00e4hnelt der Klassifizierung von Ton, mit vielen Erweiterungen und einem Modell.",
    "french": "L'approche ressemble \u00e0 la classification du son, avec beaucoup de variantes et une aide.",
    "spanish": "El enfoque se parece a la clasificaci\u00f3n de sonido, con muchas variantes y un modelo de ayuda.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_of_prose_is_known(language: str) -> None:
    assert detect_language(TEXTS[language]) == language


@pytest.mark.parametrize(
    "text", ["", "Short.", "lr=0.001 x2 160x80 " * 30, "`let x = 1;` " * 30, "https://example.org/some/path " * 10]
)
def test_a_text_without_prose_has_no_clear_language(text: str) -> None:
    assert detect_language(text) is None


def test_a_language_is_found_in_its_english_name() -> None:
    names = ["German", "Brazilian Portuguese", "Chinese (simplified)", "Klingon"]
    assert [find_language(name) for name in names] == ["german", "portuguese", "chinese", None]
