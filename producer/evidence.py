"""The evidence behind a check, as it is stored: doubtful sentences and questions with both answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.base import Json


@dataclass(frozen=True, slots=True)
class StoredDoubt:
    """A span of the summary that the source does not bear out, and why."""

    text: str
    start: int
    end: int
    reason: str
    source_answer: str | None

    @property
    def words(self) -> str:
        """The reason, with what the source says there."""
        answer = f" (there: {self.source_answer})" if self.source_answer else ""
        return f"{self.reason}{answer}"


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of the summary; marked if a fact of it is nowhere in the source."""

    text: str
    start: int
    end: int
    is_marked: bool
    doubts: tuple[StoredDoubt, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the summary with the answers of the summary and of the source, and how alike they are."""

    question: str
    summary_answer: str
    source_answer: str
    f1: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check found."""

    sentences: tuple[CheckedSentence, ...]
    questions: tuple[Question, ...]

    @property
    def doubtful(self) -> list[CheckedSentence]:
        """The sentences that a reader should look at, the marked ones first."""
        return sorted((each for each in self.sentences if each.doubts), key=lambda each: not each.is_marked)


def read_evidence(stored: Iterable[Json]) -> Evidence:
    """Return the evidence of a job's metrics."""
    everything: Json = {}
    for evidence in stored:
        everything |= evidence
    return Evidence(
        sentences=tuple(_read_sentence(each) for each in everything.get("sentences", [])),
        questions=tuple(
            Question(each["question"], each["summary_answer"], each["source_answer"], each["f1"])
            for each in everything.get("questions", [])
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
