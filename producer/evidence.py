"""Stored evidence of a check: doubtful sentences, and questions with both answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.base import Json


@dataclass(frozen=True, slots=True)
class StoredDoubt:
    """A span of the summary that the source does not support, with the reason."""

    text: str
    start: int
    end: int
    reason: str
    source_answer: str | None

    @property
    def words(self) -> str:
        """The reason, with the source's answer."""
        answer = f" (there: {self.source_answer})" if self.source_answer else ""
        return f"{self.reason}{answer}"


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of the summary; marked if it has a fact that is not in the source."""

    text: str
    start: int
    end: int
    is_marked: bool
    doubts: tuple[StoredDoubt, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the summary, the answers from summary and source, and their similarity (token F1)."""

    question: str
    summary_answer: str
    source_answer: str
    f1: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Findings of a check."""

    sentences: tuple[CheckedSentence, ...]
    questions: tuple[Question, ...]

    @property
    def doubtful(self) -> list[CheckedSentence]:
        """Sentences with doubts, the marked ones first."""
        doubtful = (sentence for sentence in self.sentences if sentence.doubts)
        return sorted(doubtful, key=lambda sentence: not sentence.is_marked)


def read_evidence(stored: Iterable[Json]) -> Evidence:
    """Return the evidence of a job's metrics."""
    everything: Json = {}
    for evidence in stored:
        everything |= evidence
    return Evidence(
        sentences=tuple(_read_sentence(sentence) for sentence in everything.get("sentences", [])),
        questions=tuple(
            Question(question["question"], question["summary_answer"], question["source_answer"], question["f1"])
            for question in everything.get("questions", [])
        ),
    )


def _read_sentence(stored: Json) -> CheckedSentence:
    return CheckedSentence(
        text=stored["text"],
        start=stored["start"],
        end=stored["end"],
        is_marked=stored["is_marked"],
        doubts=tuple(StoredDoubt(**doubt) for doubt in stored["doubts"]),
    )
