"""Outline of a document that was read: its text with title, pages and tables, and what was left out of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from producer.sources.page_starts import PAGE_STARTS, find_page
from producer.sources.source import NOTES, Source

# Row of dashes below the head of a table in Markdown.
TABLE_RULE = re.compile(r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*$", re.M)


@dataclass(frozen=True, slots=True)
class PageSpan:
    """A page's place in the text, in code points; the end is exclusive."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A document that was read.

    Args:
        name: its name.
        title: its title, "" if it has none.
        format: "markdown" or "text".
        characters: length of the text.
        words: number of words of the text.
        pages: its pages; none if it has no pages.
        tables: number of tables in the text.
        details: further facts, such as its author or the other columns of its row.
        notes: what was not read, in words; None if that is nothing.
        text: the text.
    """

    name: str
    title: str
    format: str
    characters: int
    words: int
    pages: tuple[PageSpan, ...]
    tables: int
    details: dict[str, str]
    notes: str | None
    text: str


def outline_source(source: Source) -> Outline:
    """Return the outline of a source."""
    known = (NOTES, PAGE_STARTS)
    return Outline(
        name=source.name,
        title=source.title,
        format=source.format,
        characters=len(source.text),
        words=len(source.text.split()),
        pages=_list_pages(source),
        tables=len(TABLE_RULE.findall(source.text)) if source.format == "markdown" else 0,
        details={name: value for name, value in source.metadata.items() if name not in known},
        notes=source.metadata.get(NOTES),
        text=source.text,
    )


def _list_pages(source: Source) -> tuple[PageSpan, ...]:
    written = source.metadata.get(PAGE_STARTS)
    if find_page(written, 0) is None:
        return ()
    starts = [int(start) for start in (written or "").split(",")]
    ends = [*starts[1:], len(source.text)]
    return tuple(PageSpan(number, *span) for number, span in enumerate(zip(starts, ends, strict=True), start=1))
