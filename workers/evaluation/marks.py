"""Doubts: the spans of a summary that its source does not bear out, and the sentences that they mark."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from workers.evaluation.answers import UNANSWERABLE
from workers.evaluation.questions import Answered
from workers.evaluation.reading import Findings, SentenceFindings


class Reason(StrEnum):
    """Why a span is in doubt."""

    NOVEL = "only the summary has it"
    UNLINKED = "the source has it, but never near these words"
    UNANSWERED = "the source does not say"
    CONTRADICTED = "the source says otherwise"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A span of the summary that the source does not bear out.

    Args:
        text: the span.
        start: offset of its first character in the summary.
        end: offset behind its last character.
        reason: why.
        source_answer: what the source says there; None if it was not asked.
    """

    text: str
    start: int
    end: int
    reason: Reason
    source_answer: str | None = None


def find_doubts(reading: SentenceFindings, answered: tuple[Answered, ...]) -> list[Doubt]:
    """Return the doubtful spans of one sentence in order, each once."""
    start = reading.sentence.start
    found = ((Reason.UNLINKED, reading.unlinked), (Reason.NOVEL, reading.novel))
    read = [Doubt(fact.text, start + fact.start, start + fact.end, reason) for reason, facts in found for fact in facts]
    asked = [_doubt_answer(each) for each in answered if each.is_doubtful and each.target.sentence.start == start]
    # What was asked says more, so it comes last and replaces what was only read.
    return sorted({doubt.start: doubt for doubt in (*read, *asked)}.values(), key=lambda doubt: doubt.start)


def describe_sentences(findings: Findings) -> list[dict[str, object]]:
    """Return every sentence as plain values, with its measures and doubts.

    A sentence is marked as a likely hallucination if a name, number or date of it is nowhere in the source: on the
    judgements of QAGS, 16 of 20 such sentences are false. Everything else is a doubt for the reader to
    check: of the facts of true news summaries, one in six is unlinked.
    """
    return [_describe_sentence(reading, find_doubts(reading, findings.answered)) for reading in findings.readings]


def _describe_sentence(reading: SentenceFindings, doubts: list[Doubt]) -> dict[str, object]:
    return {
        **asdict(reading.sentence),
        "is_marked": bool(reading.novel),
        "doubts": [asdict(doubt) for doubt in doubts],
        "overlap": asdict(reading.overlap),
        "likelihood": reading.gain,
    }


def _doubt_answer(answered: Answered) -> Doubt:
    start = answered.target.sentence.start + answered.target.candidate.start
    contradicted = Reason.UNANSWERED if answered.source_answer == UNANSWERABLE else Reason.CONTRADICTED
    return Doubt(
        text=answered.target.candidate.text,
        start=start,
        end=start + len(answered.target.candidate.text),
        reason=contradicted if answered.is_in_source else Reason.NOVEL,
        source_answer=answered.source_answer,
    )
