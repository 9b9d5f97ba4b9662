"""Plain and Markdown text."""

import pytest

from producer.errors import UnreadableError
from producer.sources import normalize_text
from producer.sources.text import clean_label, find_title, guess_format, read_markdown


def test_line_ends_byte_order_mark_and_characters_are_normalized_and_nothing_else() -> None:
    assert normalize_text("\ufeffa \r\n\tb\rc\u0301\xa0\n\n\n\nd ") == "a \n\tb\nć\xa0\n\n\n\nd "


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_no_database_stores_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match=r"NUL|surrogates"):
        normalize_text(text)


def test_flat_front_matter_becomes_metadata() -> None:
    content = read_markdown('---\ntitle: "My report"\nauthor: A. Writer\n---\n# Other\n\nText\n')
    assert (content.title, content.metadata) == ("My report", {"author": "A. Writer"})
    assert content.text == "# Other\n\nText\n"


def test_front_matter_that_is_not_flat_stays_in_the_text() -> None:
    text = "---\ntags:\n  - a\n---\nText\n"
    assert read_markdown(text).text == text


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("# One #\n\n## Two", "One"),
        ("One\n===\n\ntext", "One"),
        ("# One\n\n# Two", ""),
        ("```\n# comment\n```\n\ntext", ""),
        ("## Two", ""),
    ],
)
def test_the_title_is_the_only_top_level_heading(markdown: str, title: str) -> None:
    assert find_title(markdown) == title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Head\ntext", "markdown"),
        ("```\ncode\n```", "markdown"),
        ("| a | b |\n|---|---|\n", "markdown"),
        ("#hashtag and # sign", "text"),
        ("plain\n---\ntext", "text"),
    ],
)
def test_structure_makes_a_text_markdown(text: str, expected: str) -> None:
    assert guess_format(text) == expected


def test_labels_are_one_short_line_that_can_be_stored() -> None:
    assert clean_label(" a\n\tb\0\ud800 ") == "a b\ufffd?"
    assert clean_label("x" * 2000) == "x" * 999 + "…"
