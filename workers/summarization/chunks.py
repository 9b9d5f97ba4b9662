"""Chunks: spans of a document with the headings that precede them in a prompt, cut from sections under top headings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from workers.summarization.grouping import group_by_content, hash_mark
from workers.summarization.packing import Packer, Span, extend_start, trim_span
from workers.summarization.structure import Structure, is_blank, strip_headings

# ``stable`` is of digests: sections as under ``headers``, whose groups a change elsewhere does not move.
Splitter = Literal["auto", "headers", "character", "recursive", "tokens", "stable"]


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


# Sections begin at h1 and h2; deeper levels apply where there are no others.
SECTION_LEVEL = 2
DEEPEST_LEVEL = 6

# Maximum share of a chunk's tokens for its path of headings; a longer path loses its outer headings.
MAX_HEADING_SHARE = 0.25


def find_sections(structure: Structure) -> list[Span]:
    """Return the spans of the sections, which partition the document; a single span if there are no headings.

    A heading without text below it, such as a title, belongs to the next section.
    """
    sections: list[Span] = []
    for level in range(SECTION_LEVEL, DEEPEST_LEVEL + 1):
        cuts = [heading.start for heading in structure.headings if heading.level <= level and heading.start > 0]
        sections = _merge_bare(structure, zip([0, *cuts], [*cuts, len(structure.masked)], strict=True))
        if len(sections) > 1:
            break
    return sections


def _merge_bare(structure: Structure, spans: Iterable[Span]) -> list[Span]:
    """Join spans of headings alone to the next span, or the last to the previous one."""
    merged: list[Span] = []
    waiting = 0
    for start, end in spans:
        leading = structure.leading_headings(start, end)
        if not is_blank(structure.masked[leading[-1].end if leading else start : end]):
            merged.append((waiting, end))
            waiting = end
    return [*merged[:-1], (merged[-1][0], len(structure.masked))] if merged else [(0, len(structure.masked))]


@dataclass(frozen=True, slots=True)
class SectionCutter:
    """Cutter of a document into chunks: small neighbouring sections share one, and a long section is cut.

    Args:
        packer: cuts the text of a section that is too long.
        structure: the document's headings.
        chunk_tokens: maximum tokens of a chunk's prompt text.
        overlap_tokens: maximum tokens that a chunk repeats from the previous one.
    """

    packer: Packer
    structure: Structure
    chunk_tokens: int
    overlap_tokens: int

    def join(self, sections: Sequence[Span]) -> list[Span]:
        """Join neighbouring sections that fit one chunk, into as few spans of about equal size as possible."""
        sizes = [self.packer.measure(section) for section in sections]
        share = sum(sizes) / math.ceil(sum(sizes) / self.chunk_tokens)
        joined: list[Span] = []
        taken = 0
        for section, size in zip(sections, sizes, strict=True):
            # A section goes where its middle is.
            if joined and taken + size / 2 <= share and self._fit_together(joined[-1], section):
                joined[-1] = (joined[-1][0], section[1])
                taken += size
            else:
                joined.append(section)
                taken = size
        return joined

    def join_stably(self, sections: Sequence[Span]) -> list[Span]:
        """Join neighbouring sections so that a change of one leaves nearly all other spans as they are."""
        texts = [self.packer.text[slice(*trim_span(self.packer.text, section))] for section in sections]
        groups = group_by_content(
            [self.packer.count(text) for text in texts], list(map(hash_mark, texts)), room=self.chunk_tokens
        )
        return [span for group in groups for span in self._keep_together([sections[place] for place in group])]

    def _keep_together(self, sections: Sequence[Span]) -> Sequence[Span]:
        """Return sections as one span, or as they are if their headings make them too long for a chunk."""
        first, last = sections[0], sections[-1]
        return [(first[0], last[1])] if self._fit_together(first, last) else sections

    def _fit_together(self, first: Span, second: Span) -> bool:
        return self._try_chunk(trim_span(self.packer.text, (first[0], second[1]))) is not None

    def cut(self, section: Span) -> Iterator[PlannedChunk]:
        """Yield one section's chunks, all with index 0; the caller numbers them."""
        whole = trim_span(self.packer.text, section)
        if whole[0] == whole[1]:
            return
        if chunk := self._try_chunk(whole):
            yield chunk
            return
        floor = whole[0]
        for span in self.packer.pack(whole, self._body_tokens(whole)):
            longer = extend_start(self.packer, span, floor=floor, overlap_tokens=self.overlap_tokens)
            yield self._try_chunk(longer) or self._try_chunk(span) or self._make_chunk(span, ())
            floor = span[0] + 1

    def _body_tokens(self, section: Span) -> int:
        """Return the tokens of a chunk that headings and overlap leave for its text."""
        paths = {self.structure.path_at(section[0])}
        paths.update(heading.path for heading in self.structure.headings_within(section))
        sizes = (self._measure_path(path) for path in paths)
        reserve = max((size for size in sizes if size <= self._max_heading_tokens), default=0)
        return max(1, self.chunk_tokens - reserve - self.overlap_tokens)

    def _try_chunk(self, span: Span) -> PlannedChunk | None:
        """Return the span as a chunk with as many headings as fit; None if it is too long without any."""
        for headings in self._list_headings(span):
            if self._measure_path(headings) <= self._max_heading_tokens:
                chunk = self._make_chunk(span, headings)
                if chunk.tokens <= self.chunk_tokens:
                    return chunk
        return None

    def _make_chunk(self, span: Span, headings: tuple[str, ...]) -> PlannedChunk:
        text = join_headings(self.packer.text[span[0] : span[1]], headings)
        return PlannedChunk(index=0, start=span[0], end=span[1], headings=headings, tokens=self.packer.count(text))

    def _list_headings(self, span: Span) -> tuple[tuple[str, ...], ...]:
        """List the candidate headings of a span, longest first: the whole path, the innermost part, none."""
        leading = self.structure.leading_headings(*span)
        if not leading:
            path = self.structure.path_at(span[0])
            return path, path[-1:], ()
        own = tuple(heading.title for heading in leading if heading.title)
        above = leading[0].path[: -1 if leading[0].title else None]
        return above + own, own, ()

    def _measure_path(self, path: tuple[str, ...]) -> int:
        return self.packer.count("\n".join((*path, ""))) if path else 0

    @property
    def _max_heading_tokens(self) -> float:
        return self.chunk_tokens * MAX_HEADING_SHARE
