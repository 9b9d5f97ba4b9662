"""Comparison of two batches, document by document, in quality, length, tokens and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from models.listing import JobFilter, list_jobs
from models.views import JobSummary
from workers.evaluation.intervals import Difference, Measures, compare_batches

# Columns of the jobs view that are compared besides the metrics.
FIGURES = ("summary_characters", "prompt_tokens", "completion_tokens", "generation_seconds", "seconds")
# Pairs below which a bootstrap interval is too narrow to be relied on: with two, it has three values.
MIN_PAIRS = 10


# The weights that made a pair of summaries, in words; without any for a summary of the document's own sentences.
WeightsPair = tuple[str, str]
JobPair = tuple[JobSummary, JobSummary]
NO_WEIGHTS = "no weights"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two batches.

    Args:
        weights: the weights that made the compared summaries of the first and of the second batch, in words.
        documents: number of compared pairs.
        differences: second minus first, for every measure that any pair has.
        unpaired: excluded documents, by the reason.
        remarks: human-readable limits of the figures.
        others: comparisons of the documents that other weights under the same names have summarized.
    """

    weights: WeightsPair
    documents: int
    differences: tuple[Difference, ...]
    unpaired: Mapping[str, tuple[str, ...]]
    remarks: tuple[str, ...]
    others: tuple[Comparison, ...] = ()


def compare_jobs(session: Session, first: UUID, second: UUID) -> Comparison:
    """Compare the summaries of the documents in both batches, those of each pair of weights by themselves.

    Raises:
        PairingError: the batches have no document in common.
    """
    sides = [_group(session, batch) for batch in (first, second)]
    unpaired: dict[str, list[str]] = defaultdict(list)
    pairs: dict[WeightsPair, dict[str, JobPair]] = defaultdict(dict)
    for document in dict.fromkeys([*sides[0], *sides[1]]):
        jobs = [side.get(document, []) for side in sides]
        reason = _find_obstacle(*jobs)
        if reason is None:
            pair = jobs[0][0], jobs[1][0]
            pairs[_name_weights(pair[0]), _name_weights(pair[1])][document] = pair
        else:
            unpaired[reason].append((jobs[0] or jobs[1])[0].source)
    by_size = sorted(pairs.items(), key=lambda item: -len(item[1])) or [((NO_WEIGHTS, NO_WEIGHTS), {})]
    (weights, most), *others = by_size
    return replace(
        _compare_pairs(weights, most),
        unpaired={reason: tuple(sources) for reason, sources in unpaired.items()},
        others=tuple(_compare_pairs(weights, pairs) for weights, pairs in others),
    )


def _compare_pairs(weights: WeightsPair, pairs: Mapping[str, JobPair]) -> Comparison:
    """Compare pairs of summaries that the same pair of weights has made."""
    measures = [{document: _measure(pair[side]) for document, pair in pairs.items()} for side in (0, 1)]
    return Comparison(
        weights=weights,
        documents=len(pairs),
        differences=tuple(compare_batches(measures[0], measures[1])),
        unpaired={},
        remarks=tuple(_remark([job for pair in pairs.values() for job in pair])),
    )


def _name_weights(job: JobSummary) -> str:
    return f"{job.weights}: {job.served_weights}" if job.served_weights else NO_WEIGHTS


def _group(session: Session, batch_id: UUID) -> dict[str, list[JobSummary]]:
    """Return the jobs of a batch by the hash of their document."""
    grouped: dict[str, list[JobSummary]] = defaultdict(list)
    for job in list_jobs(session, JobFilter(batch_id=batch_id)):
        grouped[job.document_sha256].append(job)
    return grouped


def _find_obstacle(first: Sequence[JobSummary], second: Sequence[JobSummary]) -> str | None:
    """Return the reason to exclude a document; None to compare it."""
    sides = ((first, "first"), (second, "second"))
    for jobs, name in sides:
        if not jobs:
            return f"not in the {name} batch"
    for jobs, name in sides:
        if len(jobs) > 1:
            return f"more than once in the {name} batch"
        if jobs[0].summary is None:
            return f"without a summary in the {name} batch"
        if " " in (jobs[0].weights_fingerprint or ""):
            return f"made by two sets of weights in the {name} batch"
    return None


def _measure(job: JobSummary) -> Measures:
    """Return a job's measures by name; a metric that was not measurable is None."""
    figures = {name: getattr(job, name) for name in FIGURES}
    return {**job.metrics, **{name: None if value is None else float(value) for name, value in figures.items()}}


def _remark(jobs: Sequence[JobSummary]) -> Iterator[str]:
    if len(jobs) < 2 * MIN_PAIRS:
        yield f"fewer than {MIN_PAIRS} documents: the intervals are too narrow to tell a difference from chance"
    cached, checked = sum(job.cached_steps > 0 for job in jobs), sum(job.is_being_checked for job in jobs)
    if cached:
        yield f"{cached} of {len(jobs)} jobs took steps from the cache, which cost no time: compare no seconds"
    if checked:
        yield f"{checked} of {len(jobs)} jobs are being checked: compare again when they are"
