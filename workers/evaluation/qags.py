"""QAGS: ask about the summary, answer from the summary and from the source, compare (Wang, Cho, Lewis, ACL 2020).

Weakness: it measures only what was asked, and a question can fail because the weights do.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workers.evaluation.metric import Metric, reject
from workers.evaluation.questions import Answered


def summarize_questions(answered: Sequence[Answered], *, asked: int) -> Metric:
    """Return the mean agreement of both answers, with every question.

    Args:
        answered: the questions that passed the filters.
        asked: how many candidates there were to ask for.
    """
    evidence = {"asked": asked, "kept": len(answered), "questions": [describe_question(each) for each in answered]}
    if not answered:
        return reject(f"none of {asked} questions passed the filters or fits the context", evidence)
    return Metric(fmean(each.f1 for each in answered), evidence=evidence)


def describe_question(answered: Answered) -> dict[str, object]:
    """Return a question as plain values; the span is where its subject stands in the summary."""
    target = answered.target
    start = target.sentence.start + target.candidate.start
    return {
        "question": answered.question,
        "kind": str(target.candidate.kind),
        "start": start,
        "end": start + len(target.candidate.text),
        "expected": target.candidate.text,
        "summary_answer": answered.summary_answer,
        "source_answer": answered.source_answer,
        "is_in_source": answered.is_in_source,
        "f1": round(answered.f1, 4),
    }
