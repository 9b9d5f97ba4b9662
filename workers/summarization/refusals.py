"""Refusal of sentences that hold for themselves but say nothing, or not what the source says.

A sentence that says of one name what the next says of another, one that only repeats a heading, and a copy that breaks
off within a sentence of the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workers.evaluation.lexical import Sentence
from workers.evaluation.verification import SourceText, Verification
from workers.summarization.contradictions import find_contradictions
from workers.summarization.prose import find_prose_spans
from workers.summarization.quotation import ends_sentence


def refuse(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts on the sentences of an answer, with a reason against each that is refused."""
    verdicts = _refuse_headings(text, claims, _refuse_contradictions(claims, verdicts), source)
    return _refuse_fragments(claims, verdicts, source)


def _refuse_contradictions(claims: Sequence[Sentence], verdicts: Sequence[Verification]) -> list[Verification]:
    """Return the verdicts with a reason against sentences that say the same of different names, except for copies."""
    refused = {place for place in find_contradictions(claims) if not verdicts[place].is_verbatim}
    reason = "a sentence beside it says the same of another name or number"
    return [
        replace(verdict, reason=verdict.reason or reason) if place in refused else verdict
        for place, verdict in enumerate(verdicts)
    ]


def _refuse_headings(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts with a reason against sentences that only repeat a heading, except for headings."""
    reason = "it repeats a heading of the source, which asserts nothing"
    return [
        replace(verdict, reason=reason)
        if verdict.is_verbatim
        and all(is_heading(source.sentences[place]) for place in verdict.support)
        and not text[: claim.start].rstrip(" \t").endswith("#")
        else verdict
        for claim, verdict in zip(claims, verdicts, strict=True)
    ]


def _refuse_fragments(
    claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts with a reason against copies of a line whose sentence has further lines in the source."""
    reason = "it breaks off within a sentence of the source"
    return [
        replace(verdict, reason=reason)
        if verdict.is_verbatim
        and all(_is_fragment(claim.text, source.sentences[place], source.text) for place in verdict.support)
        else verdict
        for claim, verdict in zip(claims, verdicts, strict=True)
    ]


def _is_fragment(claim: str, line: Sentence, text: str) -> bool:
    """Tell whether a copy of a line ends, or begins, where a whole sentence of prose goes on with another line."""
    whole = next((span for span in find_prose_spans(text) if span[0] <= line.start < span[1]), None)
    if whole is None:
        return False
    last = text[: line.start].rstrip()[-1:]
    is_begun = whole[0] < line.start and (last.isalnum() or last == ",") and claim[:1].islower()
    return is_begun or (line.end < whole[1] and not ends_sentence(claim))


def is_heading(sentence: Sentence) -> bool:
    """Tell whether a sentence of a source is a heading of Markdown."""
    return sentence.text.startswith("#")
