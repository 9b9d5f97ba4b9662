"""One line of an examination: a subject, its condition, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """Condition of a subject."""

    OK = "ok"
    # Nothing that is needed now: not set up yet, optional, or short.
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Condition of one subject.

    Args:
        subject: such as "broker".
        condition: whether it is as it must be.
        words: what was found.
        advice: what to do; None if nothing is to be done.
    """

    subject: str
    condition: Condition
    words: str
    advice: str | None = None


def approve(subject: str, words: str) -> Diagnosis:
    """Return the diagnosis of a subject that is as it must be."""
    return Diagnosis(subject, Condition.OK, words)


def remark(subject: str, words: str, advice: str | None = None) -> Diagnosis:
    """Return the diagnosis of a subject that works, or is not needed now."""
    return Diagnosis(subject, Condition.NOTE, words, advice)


def report(subject: str, words: str, advice: str | None = None) -> Diagnosis:
    """Return the diagnosis of a subject that is needed and broken."""
    return Diagnosis(subject, Condition.BROKEN, words, advice)
