from __future__ import annotations

import pytest

from tests.unit.workers.summarization.texts import LANGUAGES
from workers.summarization.languages import detect_language, find_language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_prose_is_known(language: str) -> None:
    assert detect_language(LANGUAGES[language]) == language


@pytest.mark.parametrize(
    "text", ["", "Short.", "lr=0.001 x2 160x80 " * 30, "`let x = 1;` " * 30, "https://example.org/some/path " * 10]
)
def test_a_text_without_prose_has_no_clear_language(text: str) -> None:
    assert detect_language(text) is None


def test_a_language_is_found_in_its_english_name() -> None:
    names = ["German", "Brazilian Portuguese", "Chinese (simplified)", "Klingon"]
    assert [find_language(name) for name in names] == ["german", "portuguese", "chinese", None]
