"""Scores the summaries of a batch against references by ROUGE, and stores a row for each job and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.job import Job
from models.lookup import JobFilter, list_jobs
from models.step_updates import lock_job
from models.views import JobSummary
from workers.evaluation.intervals import Interval, estimate_mean
from workers.evaluation.metric import Metric, reject
from workers.evaluation.rouge import ROUGE_METRICS, score_rouge
from workers.evaluation.words import read_words
from workers.execution.checks import store_metrics

# The F1 by metric, or why there is none.
RougeScores = dict[str, float] | str


@dataclass(frozen=True, slots=True)
class ReferenceScores:
    """What references say of a batch.

    Args:
        scored: jobs that have their scores now.
        means: the mean of each metric with its interval; empty if nothing was scored.
        not_measurable: jobs with a reference that have no score, and why.
        jobs_without_reference: names of jobs that no reference is for.
        references_without_job: names that no job has.
        being_checked: names of jobs that were left out because a second try may still replace their summary.
    """

    scored: int
    means: Mapping[str, Interval]
    not_measurable: Mapping[str, str]
    jobs_without_reference: tuple[str, ...]
    references_without_job: tuple[str, ...]
    being_checked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobReference:
    """A job and its reference."""

    job: JobSummary
    reference: str


def score_references(
    database: Engine, batch_id: UUID, references: Mapping[str, str], *, origin: str
) -> ReferenceScores:
    """Score every job of a batch that has a reference, and store the scores.

    Args:
        database: where the batch is; no transaction is open while scores are computed, which may take minutes.
        batch_id: which batch.
        references: by the name of the document: its source, its file's name, or that without the suffix.
        origin: where the references come from, kept with the scores.
    """
    with Session(database) as session:
        jobs = list(list_jobs(session, JobFilter(batch_id=batch_id)))
    names = {job.job_id: next((name for name in list_names(job) if name in references), None) for job in jobs}
    matched = [JobReference(job, references[name]) for job in jobs if (name := names[job.job_id]) is not None]
    settled = [pair for pair in matched if not pair.job.is_being_checked]
    scores = {pair.job.job_id: _score(pair) for pair in settled}
    evidence = {job_id: {"references": origin, "reference": name} for job_id, name in names.items()}
    replaced = _store_all(database, settled, scores, evidence)
    left = replaced | {pair.job.job_id for pair in matched if pair.job.is_being_checked}
    kept = [pair for pair in matched if pair.job.job_id not in left]
    good = [found for pair in kept if isinstance(found := scores[pair.job.job_id], dict)]
    return ReferenceScores(
        scored=len(good),
        means={name: estimate_mean([found[name] for found in good]) for name in ROUGE_METRICS} if good else {},
        not_measurable={pair.job.source: why for pair in kept if isinstance(why := scores[pair.job.job_id], str)},
        jobs_without_reference=tuple(job.source for job in jobs if names[job.job_id] is None),
        references_without_job=tuple(name for name in references if name not in set(names.values())),
        being_checked=tuple(pair.job.source for pair in matched if pair.job.job_id in left),
    )


def _store_all(
    database: Engine,
    pairs: Sequence[JobReference],
    scores: Mapping[UUID, RougeScores],
    evidence: Mapping[UUID, Mapping[str, object]],
) -> set[UUID]:
    """Store the scores of all jobs or of none, and return those whose summary was replaced meanwhile."""
    replaced = set()
    with Session(database) as session, session.begin():
        # In one order everywhere, so that two who lock many jobs never wait for each other in a circle.
        for pair in sorted(pairs, key=lambda pair: pair.job.job_id):
            job = lock_job(session, pair.job.job_id)
            if job.summary == pair.job.summary:
                _store(session, job, scores[job.id], evidence[job.id])
            else:
                replaced.add(job.id)
    return replaced


def list_names(job: JobSummary) -> Iterator[str]:
    """Yield what a reference may call a job's document, the most exact first."""
    path = PurePath(job.source)
    yield from dict.fromkeys((job.source, path.name, path.stem))


def _score(pair: JobReference) -> RougeScores:
    if pair.job.summary is None:
        return f"there is no summary: the job is {pair.job.state}"
    if not read_words(pair.reference):
        return "the reference has no words"
    return score_rouge(pair.job.summary, pair.reference)


def _store(session: Session, job: Job, found: RougeScores, evidence: Mapping[str, object]) -> None:
    metrics = {
        name: reject(found, evidence) if isinstance(found, str) else Metric(found[name], evidence=evidence)
        for name in ROUGE_METRICS
    }
    store_metrics(session, job, metrics)
