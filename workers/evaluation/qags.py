"""QAGS: agreement of the summary's and the source's answers to questions (Wang, Cho, Lewis, ACL 2020).

Weakness: statements without a question go unmeasured, and a weak generator asks or answers wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workers.evaluation.metric import Metric, reject
from workers.evaluation.questions import Answered


def summarize_questions(answered: Sequence[Answered], *, asked: int) -> Metric:
    """Return the mean F1 of both answers, with every question as evidence.

    Args:
        answered: questions that passed the filters.
        asked: number of targets before the filters.
    """
    questions = [describe_question(question) for question in answered]
    evidence = {"asked": asked, "kept": len(answered), "questions": questions}
    if not answered:
        return reject(f"none of {asked} questions passed the filters or fits the context", evidence)
    return Metric(fmean(question.f1 for question in answered), evidence=evidence)


def describe_question(answered: Answered) -> dict[str, object]:
    """Return a question as JSON values, with the span of its target in the summary."""
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
