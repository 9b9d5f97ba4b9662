"""Chunks: spans of a document, and the text that each of them is prompted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.summarization.structure import strip_headings

Splitter = Literal["auto", "headers", "character", "recursive", "tokens"]


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """One span of a document.

    Args:
        index: its place among the chunks, from 0.
        start: offset of its first character in the document.
        end: offset behind its last character.
        headings: titles of the headings it stands under, outermost first.
        tokens: size of its prompt text.
    """

    index: int
    start: int
    end: int
    headings: tuple[str, ...]
    tokens: int

    def read_text(self, document: str) -> str:
        """Return the text to prompt with: its headings, one a line, then the span without those headings."""
        return join_headings(document[self.start : self.end], self.headings)


@dataclass(frozen=True, slots=True)
class Split:
    """A document's chunks.

    Args:
        chunks: in the order of the document.
        splitter: the one that was used; the one that was asked for if nothing had to be split.
        reason: why, in words for people.
    """

    chunks: tuple[PlannedChunk, ...]
    splitter: Splitter
    reason: str


def join_headings(body: str, headings: tuple[str, ...]) -> str:
    """Put headings before the text of their section, once each."""
    return "\n".join((*headings, strip_headings(body, headings))) if headings else body
