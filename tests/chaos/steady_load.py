"""Jobs at a steady rate through a stress, and the rate at which they end before, during and after it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.chaos.invariants import Findings, find_violations
from tests.chaos.scene import Scene, choose_options, write_text
from tests.chaos.stresses import Cell

# Seconds between two submissions.
TICK_SECONDS = 0.25
# Seconds over which a rate counts as recovered, and the part of the rate before that it must reach, as published.
WINDOW_SECONDS = 2
RECOVERED_SHARE = 0.9
BATCH = "steady"
# Seconds for the jobs that tell the capacity.
CAPACITY_SECONDS = 600
ENDED_BY_SECOND = """
SELECT floor(extract(epoch FROM finished_at) - :since)::int AS second, count(*)
FROM jobs WHERE finished_at IS NOT NULL GROUP BY 1"""
# When the last job ended that was there at a time, seconds after it.
LAST_ENDED = """
SELECT coalesce(max(extract(epoch FROM finished_at)), :at) - :at
FROM jobs WHERE extract(epoch FROM created_at) <= :at"""
DEAD_ROWS = "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables"
OPEN_JOBS = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"


@dataclass(frozen=True, slots=True)
class StressResult:
    """Figures of one cell.

    Args:
        accepted: jobs that were submitted.
        succeeded: those that have their summary.
        findings: broken promises.
        before: jobs per second before the stress.
        during: jobs per second in the stress.
        after: jobs per second after it.
        recovered_after: seconds from its end until the rate is that of before; None if it never is.
        last_ended_after: seconds from its end until every job has ended that was there by then.
        dead_rows: that no vacuum had removed at its end.
    """

    accepted: int
    succeeded: int
    findings: Findings
    before: float
    during: float
    after: float
    recovered_after: float | None
    last_ended_after: float
    dead_rows: int

    @property
    def lost(self) -> int:
        """Jobs without their result."""
        return self.findings.lost + self.findings.not_terminal

    @property
    def is_recovered(self) -> bool:
        """Tell whether the rate came back, and nothing was lost or doubled."""
        return self.recovered_after is not None and not (self.lost or self.findings.doubled)


class SteadyProducer:
    """Thread that submits single-step jobs at a rate; a block that Postgres refuses is submitted again, until it is in.

    Args:
        scene: where to.
        rate: jobs per second.
    """

    def __init__(self, scene: Scene, *, rate: float) -> None:
        self._scene = scene
        self.rate = rate
        self.accepted = 0
        self._request = SubmissionRequest(BATCH, choose_options(strategy="stuff"))
        self._app = make_celery(scene.arena.broker_url)
        self._publisher = OutboxPublisher(scene.engine, CeleryPublisher(self._app))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Start to submit."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the block that is being submitted."""
        self._ended.set()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Close the connection to the broker."""
        self._app.close()

    def submit(self, count: int) -> None:
        """Submit that many jobs."""
        names = [f"steady {self.accepted + number}" for number in range(count)]
        sources = [Source(name, write_text(name, 1), "markdown") for name in names]
        while True:
            try:
                Submission(self._scene.engine, self._publisher, self._request, SubmissionResult()).run(sources)
            except DBAPIError:
                time.sleep(TICK_SECONDS)
            else:
                self.accepted += count
                return

    def _run(self) -> None:
        owed, due = 0.0, time.monotonic()
        while not self._ended.is_set():
            owed += self.rate * TICK_SECONDS
            if owed >= 1:
                self.submit(int(owed))
                owed -= int(owed)
            # What an outage has kept from being submitted is not made up for.
            due = max(due + TICK_SECONDS, time.monotonic())
            self._ended.wait(due - time.monotonic())


def measure_capacity(scene: Scene, jobs: int, *, warm: int) -> float:
    """Return jobs per second when they all wait at once, after others that open the connections of the workers."""
    producer = SteadyProducer(scene, rate=0)
    for count in (warm, jobs):
        started = time.time()
        producer.submit(count)
        scene.wait_until(lambda: scene.count(OPEN_JOBS) == 0, "the jobs have ended", seconds=CAPACITY_SECONDS)
    producer.close()
    with scene.engine.connect() as connection:
        ended = connection.execute(text("SELECT extract(epoch FROM max(finished_at)) FROM jobs")).scalar_one()
    return jobs / (float(ended) - started)


def run_cell(scene: Scene, cell: Cell, *, rate: float, seconds: float, patience: float) -> StressResult:
    """Run a cell on the workers of a scene.

    Args:
        scene: with workers.
        cell: the stress and its load.
        rate: jobs per second that a factor of 1 stands for.
        seconds: before the stress and after it; it lasts twice as long.
        patience: seconds for the last job to end.
    """
    producer = SteadyProducer(scene, rate=rate * cell.before)
    producer.start()
    try:
        # The first jobs of a worker open its connections.
        scene.wait_until(lambda: scene.count("SELECT count(*) FROM jobs WHERE state = 'succeeded'") > 0, "a job ends")
        marks = [time.time()]
        time.sleep(seconds)
        marks.append(time.time())
        with cell.stress(scene, 2 * seconds):
            producer.rate = rate * cell.during
            time.sleep(max(0.0, marks[1] + 2 * seconds - time.time()))
        marks.append(time.time())
        producer.rate = rate * cell.before
        dead_rows = scene.count(DEAD_ROWS) if cell.is_pressure else 0
        time.sleep(seconds)
        marks.append(time.time())
    finally:
        producer.stop()
    scene.wait_until(lambda: scene.count(OPEN_JOBS) == 0, "every job is final", seconds=patience)
    return describe_cell(scene, producer.accepted, marks, dead_rows)


def describe_cell(scene: Scene, accepted: int, marks: list[float], dead_rows: int) -> StressResult:
    """Return the figures of a cell from the rows of its jobs.

    Args:
        scene: where it ran.
        accepted: jobs that were submitted.
        marks: times of the start, of the stress' start and end, and of the end.
        dead_rows: at the stress' end.
    """
    with scene.engine.connect() as connection:
        rows = connection.execute(text(ENDED_BY_SECOND), {"since": marks[0]})
        ended = {int(second): int(count) for second, count in rows}
        last = float(connection.execute(text(LAST_ENDED), {"at": marks[2]}).scalar_one())
    starts = [round(mark - marks[0]) for mark in marks]
    # The database counts the seconds of all jobs: those after the last mark drain what is left.
    before, during, after = (
        [ended.get(second, 0) for second in range(start, max(end, start + 1))] for start, end in pairwise(starts)
    )
    findings = find_violations(scene.engine)
    return StressResult(
        accepted=accepted,
        succeeded=scene.count("SELECT count(*) FROM jobs WHERE state = 'succeeded'"),
        findings=findings,
        before=median(before),
        during=sum(during) / len(during),
        after=median(after),
        recovered_after=find_recovery(after, before=median(before)),
        last_ended_after=max(0.0, last),
        dead_rows=dead_rows,
    )


def find_recovery(after: list[int], *, before: float) -> float | None:
    """Return the second from which on a window of seconds has the rate of before; None without one.

    Args:
        after: jobs that ended in each second after the stress.
        before: jobs per second before it.
    """
    for start in range(max(1, len(after) - WINDOW_SECONDS + 1)):
        window = after[start : start + WINDOW_SECONDS]
        if sum(window) >= RECOVERED_SHARE * before * len(window):
            return float(start)
    return None
