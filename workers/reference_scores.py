"""Reference scores: ROUGE of a batch's summaries against references, stored as a row per job and metric."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.job import Job
from models.listing import JobFilter, list_jobs
from models.step_updates import lock_job
from models.views import JobSummary
from workers.evaluation.intervals import Interval, estimate_mean
from workers.evaluation.lexical import read_words
from workers.evaluation.metric import Metric, reject
from workers.evaluation.rouge import ROUGE_METRICS, RougeTokenizer, choose_tokenizer, score_rouge
from workers.execution.checks import store_metrics

# F1 by metric, or the reason for its absence.
RougeScores = dict[str, float] | str


@dataclass(frozen=True, slots=True)
class ReferenceScores:
    """Result of scoring a batch.

    Args:
        scored: number of scored jobs.
        means: mean and interval by metric; empty if no job was scored.
        not_measurable: reason by source, for jobs with a reference but without a score.
        jobs_without_reference: sources of jobs without a reference.
        references_without_job: names of references without a job.
        being_checked: sources of jobs left out because a second try may still replace their summary.
        tokenizers: number of scored jobs by tokenizer; scores with different ones are not comparable.
    """

    scored: int
    means: Mapping[str, Interval]
    not_measurable: Mapping[str, str]
    jobs_without_reference: tuple[str, ...]
    references_without_job: tuple[str, ...]
    being_checked: tuple[str, ...]
    tokenizers: Mapping[RougeTokenizer, int]


@dataclass(frozen=True, slots=True)
class JobReference:
    """Job with its reference summary."""

    job: JobSummary
    reference: str


def score_references(
    database: Engine, batch_id: UUID, references: Mapping[str, str], *, origin: str
) -> ReferenceScores:
    """Score every job of a batch that has a reference, and store the scores.

    Args:
        database: database of the batch; no transaction is open during the scoring, which may take minutes.
        batch_id: id of the batch.
        references: reference by document name: its source, its file name, or the file name without suffix.
        origin: origin of the references, stored with the scores.
    """
    with Session(database) as session:
        jobs = list(list_jobs(session, JobFilter(batch_id=batch_id)))
    names = {job.job_id: next((name for name in list_names(job) if name in references), None) for job in jobs}
    matched = [JobReference(job, references[name]) for job in jobs if (name := names[job.job_id]) is not None]
    settled = [pair for pair in matched if not pair.job.is_being_checked]
    scores = {pair.job.job_id: _score(pair) for pair in settled}
    tokenizers = {pair.job.job_id: _choose_tokenizer(pair) for pair in settled}
    evidence = {
        job_id: {"references": origin, "reference": name, "tokenizer": tokenizers.get(job_id)}
        for job_id, name in names.items()
    }
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
        tokenizers=dict(
            Counter(tokenizers[pair.job.job_id] for pair in kept if isinstance(scores[pair.job.job_id], dict))
        ),
    )


def _store_all(
    database: Engine,
    pairs: Sequence[JobReference],
    scores: Mapping[UUID, RougeScores],
    evidence: Mapping[UUID, Mapping[str, object]],
) -> set[UUID]:
    """Store the scores in one transaction; return the jobs whose summary has been replaced or deleted meanwhile."""
    replaced = set()
    with Session(database) as session, session.begin():
        # Locking in the same order everywhere avoids deadlocks.
        for pair in sorted(pairs, key=lambda pair: pair.job.job_id):
            job = lock_job(session, pair.job.job_id)
            if job is not None and job.summary == pair.job.summary:
                _store(session, job, scores[job.id], evidence[job.id])
            else:
                replaced.add(pair.job.job_id)
    return replaced


def list_names(job: JobSummary) -> Iterator[str]:
    """Yield the names under which a reference may list a job's document, the most specific first."""
    source = unicodedata.normalize("NFC", job.source)
    path = PurePath(source)
    yield from dict.fromkeys((source, path.name, path.stem))


def _score(pair: JobReference) -> RougeScores:
    if pair.job.summary is None:
        return f"there is no summary: the job is {pair.job.state}"
    for name, text in (("reference", pair.reference), ("summary", pair.job.summary)):
        if not read_words(text):
            return f"the {name} has no words"
    return score_rouge(pair.job.summary, pair.reference)


def _choose_tokenizer(pair: JobReference) -> RougeTokenizer:
    return choose_tokenizer(pair.job.summary or "", pair.reference)


def _store(session: Session, job: Job, found: RougeScores, evidence: Mapping[str, object]) -> None:
    metrics = {
        name: reject(found, evidence) if isinstance(found, str) else Metric(found[name], evidence=evidence)
        for name in ROUGE_METRICS
    }
    store_metrics(session, job, metrics)
