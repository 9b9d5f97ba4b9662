"""Data of a report about the whole batch: state, engine calls over time, lengths and metrics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models.job import Job
from models.step import StepKind, StepState
from models.tables import Evaluation
from models.views import JobSummary, TimelineStep, view_of
from producer.status import Failure, Snapshot, list_failures, take_snapshot

# Rows in the page's table of failures; the sections of the documents hold them all.
SHOWN_FAILURES = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the engine; times in seconds since the batch's first call began."""

    worker: str
    kind: str
    start: float
    end: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Length:
    """Characters of a document and of its summary."""

    document: int
    summary: int


@dataclass(frozen=True, slots=True)
class StrategyComparison:
    """Results of one combination of weights as they were served, strategy and style."""

    weights: str
    served_weights: str | None
    strategy: str
    style: str
    jobs: int
    succeeded: int
    partial: int
    failed: int
    mean_seconds: float | None
    mean_compression: float | None
    tokens_per_second: float | None
    mean_consistency: float | None
    need_review: int
    verified: int
    quoted: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of one metric over the batch, and the number of missing ones."""

    metric: str
    values: tuple[float, ...]
    missing: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All data about a batch as a whole."""

    snapshot: Snapshot
    calls: tuple[Call, ...]
    lengths: tuple[Length, ...]
    comparisons: tuple[StrategyComparison, ...]
    measures: tuple[Measured, ...]
    failures: tuple[Failure, ...]


def collect_overview(session: Session, batch_id: UUID) -> Overview:
    """Return the data of a report about the whole batch."""
    return Overview(
        snapshot=take_snapshot(session, batch_id),
        calls=tuple(list_calls(session, batch_id)),
        lengths=tuple(list_lengths(session, batch_id)),
        comparisons=tuple(compare_ways(session, batch_id)),
        measures=tuple(list_measures(session, batch_id)),
        failures=tuple(list_failures(session, batch_id, limit=SHOWN_FAILURES)),
    )


def list_calls(session: Session, batch_id: UUID) -> list[Call]:
    """Return the finished engine calls, by start; cached steps made none."""
    view = view_of(TimelineStep)
    begun = func.extract("epoch", view.c.started_at)
    ended = func.extract("epoch", view.c.finished_at)
    rows = session.execute(
        select(view.c.worker, view.c.kind, begun, ended, func.coalesce(view.c.completion_tokens, 0))
        .where(
            view.c.batch_id == batch_id,
            view.c.state == StepState.DONE,
            view.c.kind != StepKind.PLAN,
            view.c.is_cached.is_(False),
        )
        .order_by(view.c.started_at)
    ).all()
    zero = float(rows[0][2]) if rows else 0.0
    return [
        Call(worker, kind, float(start) - zero, float(end) - zero, tokens) for worker, kind, start, end, tokens in rows
    ]


def list_lengths(session: Session, batch_id: UUID) -> list[Length]:
    """Return the lengths of the documents that have a summary, and of the summaries."""
    view = view_of(JobSummary)
    rows = session.execute(
        select(view.c.document_characters, view.c.summary_characters).where(
            view.c.batch_id == batch_id, view.c.summary_characters > 0
        )
    )
    return [Length(*row) for row in rows]


def compare_ways(session: Session, batch_id: UUID) -> list[StrategyComparison]:
    """Return the results of a batch by weights as they were served, strategy and style."""
    rows = session.execute(
        text(
            """
            SELECT weights, served_weights, strategy, style, count(*),
                count(*) FILTER (WHERE state = 'succeeded'),
                count(*) FILTER (WHERE state = 'partial'),
                count(*) FILTER (WHERE state = 'failed'),
                avg(seconds), avg(compression),
                (sum(completion_tokens) / nullif(sum(generation_seconds), 0))::double precision,
                avg(consistency), count(*) FILTER (WHERE needs_review),
                coalesce(sum(verified), 0), coalesce(sum(quoted), 0), coalesce(sum(flagged), 0)
            FROM job_summaries WHERE batch_id = :batch
            GROUP BY weights, served_weights, strategy, style ORDER BY weights, served_weights, strategy, style
            """
        ),
        {"batch": batch_id},
    )
    return [StrategyComparison(*row) for row in rows]


def list_measures(session: Session, batch_id: UUID) -> list[Measured]:
    """Return every metric of a batch, missing values included."""
    rows = session.execute(
        select(Evaluation.metric, Evaluation.value)
        .join(Job, Job.id == Evaluation.job_id)
        .where(Job.batch_id == batch_id)
        .order_by(Evaluation.metric)
    )
    by_metric: dict[str, list[float | None]] = defaultdict(list)
    for metric, value in rows:
        by_metric[metric].append(value)
    return [
        Measured(metric, tuple(value for value in values if value is not None), values.count(None))
        for metric, values in by_metric.items()
    ]
