"""Chunks: spans of a document, with the headings that precede them in a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.summarization.structure import strip_headings

Splitter = Literal["auto", "headers", "character", "recursive", "tokens"]


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """One span of a document.

    Args:
        index: position among the chunks, from 0.
        start: offset of the first character in the document.
        end: offset after the last character.
        headings: titles of the enclosing headings, outermost first.
        tokens: size of the prompt text.
    """

    index: int
    start: int
    end: int
    headings: tuple[str, ...]
    tokens: int

    def read_text(self, document: str) -> str:
        """Return the prompt text: the headings, one a line, then the span without them."""
        return join_headings(document[self.start : self.end], self.headings)


@dataclass(frozen=True, slots=True)
class Split:
    """A document's chunks.

    Args:
        chunks: in document order.
        splitter: the splitter used, or the one requested if nothing had to be split.
        reason: human-readable reason for the splitter.
    """

    chunks: tuple[PlannedChunk, ...]
    splitter: Splitter
    reason: str


def join_headings(body: str, headings: tuple[str, ...]) -> str:
    """Prepend headings to the text of their section, each once."""
    return "\n".join((*headings, strip_headings(body, headings))) if headings else body
