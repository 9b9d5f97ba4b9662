"""Provenance of a summary: every step of a job with its inputs and output, as a list and as trees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import Json
from models.lookup import list_chunks, list_details, read_job
from models.sentence import SentenceKind
from models.step import Step, StepAttempt, StepKind, of_job
from models.tables import Evaluation, Job
from models.views import ChunkText, JobSummary
from producer.citations import CitedDocument, CitedSentence
from producer.cited_documents import Sentences, list_digested, read_cited
from producer.evidence import Evidence, read_evidence
from producer.sources.source import NOTES

Key = tuple[int, str, int, int]


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One failed, lost, released or cancelled attempt at a step."""

    attempt: int
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    outcome: str
    error: Json | None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step: inputs, output and cost."""

    id: UUID
    round: int
    kind: str
    level: int
    index: int
    state: str
    inputs: list[Any]
    output: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    finish_reason: str | None
    seconds: float | None
    worker: str | None
    guards: list[Any]
    sentences: list[Any]
    error: Json | None
    attempt: int
    errors: int
    crashes: int
    cached_from: UUID | None
    prompt_fingerprint: str | None
    weights_fingerprint: str | None
    params: Json | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def key(self) -> Key:
        """Place of the step in its job."""
        return self.round, self.kind, self.level, self.index

    @property
    def chunks(self) -> list[int]:
        """Indexes of its input chunks."""
        return [place["chunk"] for place in self.inputs if "chunk" in place]

    @property
    def verdicts(self) -> str:
        """Numbers of sentences in its output by verdict: ``2 verified, 1 quoted``; "" without any."""
        counts = Counter(sentence["kind"] for sentence in self.sentences)
        return ", ".join(f"{counts[kind]} {kind}" for kind in SentenceKind if counts[kind])

    @property
    def earlier(self) -> list[Key]:
        """Places of the steps whose outputs are its inputs."""
        places = (place for place in self.inputs if "kind" in place)
        return [(self.round, place["kind"], place["level"], place["index"]) for place in places]


@dataclass(frozen=True, slots=True)
class Node:
    """A step and the steps whose outputs are its inputs."""

    step: StepRecord
    inputs: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of the summary; ``reason`` explains a missing value."""

    metric: str
    value: float | None
    reason: str | None
    evidence: Json


@dataclass(frozen=True, slots=True)
class Provenance:
    """All records of one job."""

    job: JobSummary
    options: Json
    plan: Json | None
    chunks: tuple[ChunkText, ...]
    steps: tuple[StepRecord, ...]
    tries: dict[str, list[AttemptRecord]]
    evaluations: tuple[Measure, ...]
    sentences: tuple[CitedSentence, ...]
    # Documents behind a digest whose sentences cite some.
    documents: tuple[CitedDocument, ...]
    # Parts of the document that were not read, in words.
    notes: str | None

    @property
    def uncited(self) -> list[str] | None:
        """Names of the documents behind a digest that none of its sentences cites; None if nobody can tell.

        That is where a digest is cited itself, because its summary has been replaced by a retry.
        """
        cited = {document.job_id for sentence in self.sentences for document in sentence.documents}
        if not cited <= {document.job_id for document in self.documents}:
            return None
        return [document.source for document in self.documents if document.job_id not in cited]

    @property
    def evidence(self) -> Evidence:
        """Findings of the check, by sentence and by question."""
        return read_evidence(measure.evidence for measure in self.evaluations)


@dataclass(frozen=True, slots=True)
class TextRecords:
    """Records of several jobs that are read together: the sentences of their summaries, and what was not read.

    Args:
        sentences: by job.
        notes: by job; none for a document that was read whole.
    """

    sentences: Sentences
    notes: Mapping[UUID, str]


def read_texts(session: Session, jobs: Sequence[UUID]) -> TextRecords:
    """Return the sentences and notes of jobs, with as many queries as for one of them."""
    return TextRecords(read_cited(session, jobs), list_details(session, jobs, NOTES))


def read_provenance(session: Session, job_id: UUID, *, texts: TextRecords | None = None) -> Provenance:
    """Return all records of one job.

    Args:
        session: session of the results database.
        job_id: id of the job.
        texts: sentences and notes that were read with those of other jobs.
    """
    texts = texts or read_texts(session, [job_id])
    sentences = texts.sentences.get(job_id, ())
    options, plan = session.execute(select(Job.options, Job.plan).where(Job.id == job_id)).one()
    columns = [getattr(Evaluation, field.name) for field in fields(Measure)]
    measures = select(*columns).where(Evaluation.job_id == job_id).order_by(Evaluation.metric)
    return Provenance(
        job=read_job(session, job_id),
        options=options,
        plan=plan,
        chunks=tuple(list_chunks(session, job_id)),
        steps=tuple(read_steps(session, job_id)),
        tries=read_tries(session, job_id),
        evaluations=tuple(Measure(*row) for row in session.execute(measures)),
        sentences=sentences,
        documents=list_digested(session, job_id) if any(sentence.documents for sentence in sentences) else (),
        notes=texts.notes.get(job_id),
    )


def read_steps(session: Session, job_id: UUID) -> list[StepRecord]:
    """Return the steps of a job in topological order: a step follows its inputs."""
    columns = [getattr(Step, field.name) for field in fields(StepRecord)]
    rows = session.execute(
        select(*columns).where(of_job(job_id)).order_by(Step.round, Step.created_at, Step.level, Step.index)
    )
    return [StepRecord(*row) for row in rows]


def read_tries(session: Session, job_id: UUID) -> dict[str, list[AttemptRecord]]:
    """Return the attempts at a job's steps that ended without a result, by step id."""
    columns = [getattr(StepAttempt, field.name) for field in fields(AttemptRecord)]
    rows = session.execute(
        select(StepAttempt.step_id, *columns)
        .join(Step, Step.id == StepAttempt.step_id)
        .where(of_job(job_id), StepAttempt.outcome != "done")
        .order_by(StepAttempt.attempt)
    )
    tries: dict[str, list[AttemptRecord]] = defaultdict(list)
    for step, *values in rows:
        tries[str(step)].append(AttemptRecord(*values))
    return dict(tries)


def build_trees(steps: Iterable[StepRecord]) -> list[Node]:
    """Return a tree per root step, one whose output is no step's input; a finished job has one for each try."""
    roots: dict[Key, Node] = {}
    nodes: dict[Key, Node] = {}
    for step in steps:
        if step.kind in {StepKind.PLAN, StepKind.EVALUATE}:
            continue
        inputs = tuple(nodes[key] for key in step.earlier if key in nodes)
        for key in step.earlier:
            roots.pop(key, None)
        nodes[step.key] = roots[step.key] = Node(step, inputs)
    return list(roots.values())


def unroll_chain(node: Node) -> list[Node]:
    """Return a refine step and its predecessors, in order of execution."""
    chain = [node]
    while previous := next((earlier for earlier in chain[-1].inputs if earlier.step.kind == StepKind.REFINE), None):
        chain.append(previous)
    return chain[::-1]
