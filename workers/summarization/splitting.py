"""Splitting: cut a document into chunks by its structure, with an exact span for each.

The spans cover every non-blank character of the document: each splitter partitions the text and trims white space
alone. Every chunk's prompt text, headings included, is within the budget by the token counter of the weights.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from workers.evaluation.writing import STOPS
from workers.generation import TokenCounter
from workers.summarization.chunks import SectionCutter, Split, Splitter, find_sections
from workers.summarization.errors import SplitError
from workers.summarization.packing import PARAGRAPHS, SENTENCES, SUBHEADINGS, WORDS, Packer, Span
from workers.summarization.structure import DocumentFormat, Structure, read_structure

# Default separator of the character splitter, as in LangChain.
DEFAULT_SEPARATOR = "\n\n"

# A separator that starts with one of these, or is white space, belongs to the text before it; any other to the text
# after it.
ENDINGS = re.compile(rf"[.,;:!?)\]}}\uff0c\uff1b{STOPS}]")


def split_document(
    text: str,
    *,
    document_format: DocumentFormat,
    splitter: Splitter,
    chunk_tokens: int,
    overlap_tokens: int,
    counter: TokenCounter,
    separator: str | None = None,
) -> Split:
    """Split a document.

    Args:
        text: the normalized document.
        document_format: in Markdown, ``#`` lines are headings.
        splitter: method; ``auto`` cuts at headings if there are any, else at paragraphs and sentences.
        chunk_tokens: maximum tokens of a chunk's prompt text, overlap and headings included.
        overlap_tokens: maximum tokens that a chunk repeats from the previous one in the same section.
        counter: token counter of the serving weights.
        separator: string at which the ``character`` splitter cuts.

    Raises:
        SplitError: the sizes contradict each other, or a single character is over the budget.
    """
    if chunk_tokens < 1 or not 0 <= overlap_tokens <= chunk_tokens // 2:
        sizes = f"chunks of {chunk_tokens} tokens with an overlap of {overlap_tokens} cannot be made"
        raise SplitError(f"{sizes}: the overlap must be from 0 to half of the chunk size")
    structure = read_structure(text, document_format)
    sections = find_sections(structure) if splitter in ("auto", "headers", "stable") else []
    chosen, reason = _choose_splitter(splitter, len(sections))
    if chosen in ("character", "tokens"):
        # A user's separator and plain token windows ignore headings, tables and fences.
        structure = Structure(masked=text, headings=())
    packer = Packer(
        text=text,
        masked=structure.masked,
        separators=_order_separators(chosen, separator),
        is_even=chosen in ("headers", "recursive", "stable"),
        count=cache(counter.count_tokens),
    )
    cutter = SectionCutter(packer, structure, chunk_tokens=chunk_tokens, overlap_tokens=overlap_tokens)
    spans = _join_sections(cutter, chosen, sections) or [(0, len(text))]
    chunks = (chunk for span in spans for chunk in cutter.cut(span))
    numbered = tuple(replace(chunk, index=number) for number, chunk in enumerate(chunks))
    return Split(chunks=numbered, splitter=chosen, reason=reason)


def _join_sections(cutter: SectionCutter, splitter: Splitter, sections: Sequence[Span]) -> list[Span]:
    match splitter:
        case "headers":
            return cutter.join(sections)
        case "stable":
            return cutter.join_stably(sections)
        case _:
            return []


def _choose_splitter(splitter: Splitter, section_count: int) -> tuple[Splitter, str]:
    if splitter == "stable" and section_count > 1:
        return (
            splitter,
            f"{section_count} sections, grouped so that a change of one leaves nearly all chunks as they are",
        )
    if splitter in ("auto", "headers") and section_count > 1:
        return "headers", f"{section_count} sections under headings: small neighbours share a chunk, a long one is cut"
    if splitter in ("headers", "stable"):
        return "recursive", "no headings to split at: split at paragraphs and sentences instead"
    if splitter == "auto":
        return "recursive", "no sections under headings: split at paragraphs and sentences"
    return splitter, f"{splitter} was asked for"


def _order_separators(splitter: Splitter, separator: str | None) -> tuple[str, ...]:
    if splitter == "tokens":
        return WORDS
    if splitter == "character":
        return (_keep_separator(separator or DEFAULT_SEPARATOR), *PARAGRAPHS, *SENTENCES, *WORDS)
    return (*SUBHEADINGS, *PARAGRAPHS, *SENTENCES, *WORDS)


def _keep_separator(separator: str) -> str:
    """Return the pattern to cut at: after a separator that ends text (a stop), before one that begins it (a hash)."""
    is_ending = not separator.strip() or ENDINGS.match(separator.strip())
    return re.escape(separator) if is_ending else f"(?={re.escape(separator)})"
