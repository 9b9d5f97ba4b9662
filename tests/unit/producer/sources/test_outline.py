from __future__ import annotations

from producer.sources.outline import PageSpan, outline_source
from producer.sources.source import Source

TABLE = "# Costs\n\n| year | cost |\n|---|---:|\n| 2019 | 5 |\n\nname | n\n--- | ---\na | 1\n\n---\n\nThe end."


def test_the_tables_of_a_markdown_text_are_counted_and_a_rule_is_none() -> None:
    assert outline_source(Source("a.md", TABLE, "markdown")).tables == 2
    assert outline_source(Source("a.txt", TABLE, "text")).tables == 0


def test_pages_have_their_places_in_the_text() -> None:
    outline = outline_source(Source("a.pdf", "one two", "text", "", {"page_starts": "0,4", "author": "Ann"}))

    assert outline.pages == (PageSpan(1, 0, 4), PageSpan(2, 4, 7))
    assert (outline.details, outline.characters, outline.words) == ({"author": "Ann"}, 7, 2)


def test_a_document_without_pages_or_with_broken_ones_has_none() -> None:
    for metadata in ({}, {"page_starts": "x"}, {"page_starts": "3,1"}):
        assert outline_source(Source("a.md", "one", "markdown", "", metadata)).pages == ()


def test_what_was_not_read_is_kept_apart_from_the_details() -> None:
    outline = outline_source(Source("a.docx", "one", "markdown", "", {"notes": "holds 2 comments, which are left out"}))

    assert (outline.notes, outline.details) == ("holds 2 comments, which are left out", {})
