"""A discrete-event simulation of the cluster: jobs, their steps, GPUs with slots, one database and one broker.

A step waits in one of three queues (reduce before map before plan) for a free slot; a slot claims it, runs it and
finishes it. Claims and finishes go through a database that serves so many of them a second; a forward pass of a GPU
serves all of its slots at once, so a step takes the same time however many run beside it, until the slots are full.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

# Order in which a free slot takes what waits.
REDUCE, MAP, PLAN = range(3)
# Kinds that ask the engine; a plan does not.
Event = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured constants, in seconds.

    Args:
        step: of the engine, for one call with its neighbours in the batch.
        plan: of splitting a document.
        overhead: of the worker's process around a step; one step at a time in each process.
        database: that a step keeps one core of Postgres and of the broker busy.
        database_cores: that they have.
        spread: how far the engine's seconds lie from their mean, as a part of it.
    """

    step: float
    plan: float
    overhead: float
    database: float
    database_cores: int = 1
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a simulated run came to.

    Args:
        seconds: until the last job ended.
        steps: how many were run.
        busy: part of the slots' time that the engine worked.
        database_busy: part of the database's time.
    """

    seconds: float
    steps: int
    busy: float
    database_busy: float

    @property
    def steps_per_second(self) -> float:
        """Throughput over the whole run."""
        return self.steps / self.seconds


class Simulation:
    """One cluster working off jobs that are all there at the start.

    Args:
        workers: processes, one per GPU.
        slots: requests that each serves at once.
        costs: what things take.
    """

    def __init__(self, *, workers: int, slots: int, costs: Costs) -> None:
        self._environment = simpy.Environment()
        self._queue = simpy.PriorityStore(self._environment)
        self._database = simpy.Resource(self._environment, capacity=costs.database_cores)
        self._costs = costs
        self._slots = workers * slots
        self._place = 0
        self._pending: list[int] = []
        self._open = 0
        self._steps = 0
        self._engine_seconds = 0.0
        self._database_seconds = 0.0
        self._end = self._environment.event()
        for _ in range(workers):
            process = simpy.Resource(self._environment, capacity=1)
            for _ in range(slots):
                self._environment.process(self._serve(process))

    def run(self, jobs: Sequence[int]) -> Forecast:
        """Return how jobs with so many map steps each are worked off."""
        self._open, self._pending = len(jobs), list(jobs)
        for job, chunks in enumerate(jobs):
            self._publish(PLAN, job, chunks)
        self._environment.run(until=self._end)
        seconds = self._environment.now
        return Forecast(
            seconds=seconds,
            steps=self._steps,
            busy=self._engine_seconds / (seconds * self._slots),
            database_busy=self._database_seconds / (seconds * self._costs.database_cores),
        )

    def _publish(self, kind: int, job: int, chunks: int = 0) -> None:
        self._place += 1
        self._queue.put(simpy.PriorityItem((kind, self._place), (kind, job, chunks)))

    def _serve(self, process: simpy.Resource) -> Event:
        while True:
            item = yield self._queue.get()
            kind, job, chunks = item.item
            yield from self._hold(process, self._costs.overhead)
            yield from self._ask_database()
            if kind == PLAN:
                yield from self._hold(process, self._costs.plan)
            else:
                seconds = self._costs.step * self._vary()
                self._engine_seconds += seconds
                yield self._environment.timeout(seconds)
            self._finish(kind, job, chunks)

    def _hold(self, resource: simpy.Resource, seconds: float) -> Event:
        with resource.request() as turn:
            yield turn
            yield self._environment.timeout(seconds)

    def _ask_database(self) -> Event:
        self._database_seconds += self._costs.database
        yield from self._hold(self._database, self._costs.database)

    def _vary(self) -> float:
        # Evenly spread and without chance: the same run always gives the same forecast.
        return 1 + self._costs.spread * ((self._steps * 0.618034) % 1 * 2 - 1)

    def _finish(self, kind: int, job: int, chunks: int) -> None:
        self._steps += 1
        if kind == PLAN:
            for _ in range(chunks):
                self._publish(MAP, job)
        elif kind == MAP:
            self._pending[job] -= 1
            if self._pending[job] == 0:
                self._publish(REDUCE, job)
        else:
            self._open -= 1
            if self._open == 0:
                self._end.succeed()


def forecast(jobs: Sequence[int], *, workers: int, slots: int, costs: Costs) -> Forecast:
    """Simulate jobs with so many map steps each on a cluster."""
    return Simulation(workers=workers, slots=slots, costs=costs).run(jobs)
