"""Splits of texts with defaults, and questions about them that several tests ask."""

from __future__ import annotations

from tests.unit.workers.summarization.counters import CharacterCounter
from workers.generation import TokenCounter
from workers.summarization.chunks import PlannedChunk, Split, Splitter
from workers.summarization.splitting import split_document
from workers.summarization.structure import DocumentFormat

CHARACTERS = CharacterCounter()


def split(
    text: str,
    *,
    tokens: int = 100,
    overlap: int = 0,
    splitter: Splitter = "auto",
    kind: DocumentFormat = "markdown",
    separator: str | None = None,
    counter: TokenCounter = CHARACTERS,
) -> Split:
    """Split a text, by characters."""
    return split_document(
        text,
        document_format=kind,
        splitter=splitter,
        chunk_tokens=tokens,
        overlap_tokens=overlap,
        counter=counter,
        separator=separator,
    )


def find_uncovered(text: str, chunks: tuple[PlannedChunk, ...]) -> list[int]:
    """Return the places of all that is in no chunk and no white space."""
    covered = bytearray(len(text))
    for chunk in chunks:
        covered[chunk.start : chunk.end] = b"x" * (chunk.end - chunk.start)
    return [offset for offset, is_in in enumerate(covered) if not is_in and not text[offset].isspace()]


def read_bodies(text: str, found: Split) -> list[str]:
    """Return the texts of chunks without their headings."""
    return [text[chunk.start : chunk.end] for chunk in found.chunks]
