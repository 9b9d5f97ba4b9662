"""How long the first step of a submission waits: when nothing else runs, and at half load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

from sqlalchemy import text

from models.publisher import OutboxPublisher, open_publisher
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.bench.queue_cluster import CHUNKS, OPTIONS, Cluster, wait_until, write_body

# Steps of a whole job: its plan, its chunks, and the one that combines them.
JOB_STEPS = CHUNKS + 2
SUBMISSIONS = 20
# Of the run whose rate is full load.
FULL_STEPS = 1_000
# Of the run at half load: several hundred submissions, as the 99th percentile needs.
LOAD_SECONDS = 40
OPEN_JOBS = "SELECT count(*) FROM jobs WHERE state <> 'succeeded'"
WAITS = """
SELECT extract(epoch FROM min(steps.started_at)) AS started, jobs.source
FROM steps JOIN jobs ON jobs.id = job_id WHERE source LIKE :prefix || '%' GROUP BY jobs.id
"""
JOB_RATE = """
SELECT count(*) / extract(epoch FROM max(steps.finished_at) - min(steps.started_at))
FROM steps JOIN jobs ON jobs.id = job_id WHERE source LIKE 'full %'
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from submissions to their first steps, one value for each.

    Args:
        alone: of submissions that wait for each other's end.
        loaded: of submissions that come at half the rate of ``steps_per_s``.
        steps_per_s: of whole jobs that wait all at once.
    """

    alone: list[float]
    loaded: list[float]
    steps_per_s: float

    def describe(self) -> Iterator[str]:
        """Yield the rows of a table."""
        yield f"| whole jobs with their plans, steps/s | {self.steps_per_s:,.0f} | |"
        yield f"| from submit to the first step, ms | {median(self.alone):,.0f} | to {max(self.alone):,.0f} |"
        yield f"| the same at half load, ms | {median(self.loaded):,.0f} | 99 % below {self.p99:,.0f} |"

    @property
    def p99(self) -> float:
        """Return the 99th percentile at half load."""
        return quantiles(self.loaded, n=100)[-1]


class Submitter:
    """Submits documents as ``gistmill submit`` does, over connections that stay open."""

    def __init__(self, cluster: Cluster, outbox_publisher: OutboxPublisher) -> None:
        self._cluster = cluster
        self._publisher = outbox_publisher
        self._started: dict[str, float] = {}

    def submit(self, name: str, count: int = 1) -> None:
        """Submit a batch of documents."""
        sources = [
            Source(f"{name} {place}", f"Number {name} {place}. {write_body()}", "markdown") for place in range(count)
        ]
        self._started[sources[0].name] = time.time()
        request = SubmissionRequest(name, OPTIONS)
        Submission(self._cluster.engine, self._publisher, request, SubmissionResult()).run(sources)

    def wait(self) -> None:
        """Wait until every job has ended."""
        wait_until(lambda: self._cluster.read_number(OPEN_JOBS) == 0, "all jobs end")

    def list_waits(self, prefix: str) -> list[float]:
        """Return the milliseconds to the first step of every submission whose name begins so."""
        with self._cluster.engine.connect() as connection:
            rows = connection.execute(text(WAITS), {"prefix": prefix}).all()
        return [(float(row.started) - self._started[row.source]) * 1000 for row in rows]


@contextmanager
def open_submitter(cluster: Cluster) -> Iterator[Submitter]:
    """Open the connections of a submitter for the length of a block."""
    with open_publisher(cluster.broker_url) as publisher:
        yield Submitter(cluster, OutboxPublisher(cluster.engine, publisher))


def measure_latency(cluster: Cluster) -> Latency:
    """Submit to workers that run, one by one, then all at once, then at half of the rate that they had."""
    with open_submitter(cluster) as submitter:
        # It waits for the workers to start.
        submitter.submit("first")
        submitter.wait()
        for number in range(SUBMISSIONS):
            submitter.submit(f"alone {number}")
            submitter.wait()
        submitter.submit("full", FULL_STEPS // JOB_STEPS)
        submitter.wait()
        rate = cluster.read_number(JOB_RATE)
        _submit_steadily(submitter, jobs_per_s=rate / JOB_STEPS / 2)
        submitter.wait()
        return Latency(submitter.list_waits("alone"), submitter.list_waits("loaded"), rate)


def _submit_steadily(submitter: Submitter, *, jobs_per_s: float) -> None:
    began = time.monotonic()
    for number in range(int(LOAD_SECONDS * jobs_per_s)):
        time.sleep(max(0.0, began + number / jobs_per_s - time.monotonic()))
        submitter.submit(f"loaded {number}")
