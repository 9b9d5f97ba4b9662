"""Refusal of sentences that hold each for itself, but say of one name what the next says of another, or say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workers.evaluation.lexical import Sentence
from workers.evaluation.verification import SourceText, Verification
from workers.summarization.contradictions import find_contradictions


def refuse(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts on the sentences of an answer, with a reason against each that is refused."""
    return _refuse_headings(text, claims, _refuse_contradictions(claims, verdicts), source)


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


def is_heading(sentence: Sentence) -> bool:
    """Tell whether a sentence of a source is a heading of Markdown."""
    return sentence.text.startswith("#")
