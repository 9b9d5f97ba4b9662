"""A stage for one test: a fresh database, an empty broker, workers, and a producer."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from sqlalchemy import Engine, func, or_, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.checks import is_being_checked
from models.job import OPEN_STATES, Job, Priority
from models.options import JobOptions, make_options
from models.publisher import CeleryPublisher, make_celery
from models.queues import StepMessage
from models.session import connect
from models.step import Step
from tests.chaos.arena import Arena
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.fake_worker import HELD, Behaviour, WorkerProcess
from tests.jobs import add_jobs
from tests.processes import PATIENCE
from workers.execution.reclaim import LEVEL_SEPARATOR

# Everything that takes a minute in production takes a second or so here. Leases are longer than any pause of a loaded
# machine; nothing waits for them where a worker of the same host is dead. Tests of frozen workers ask for short ones.
QUICK: dict[str, object] = {
    "lease_seconds": 60,
    "heartbeat_seconds": 0.5,
    "rescue_seconds": 0.3,
    "redispatch_seconds": 1,
    "restart_grace_seconds": 1,
    "drain_seconds": 60,
    "hang_seconds": 1.5,
    "step_deadline_seconds": 60,
    "slots": 4,
    "metrics_port": 0,
    "log_level": "info",
    "log_format": "json",
}


class Scene:
    """One test's cluster."""

    def __init__(self, arena: Arena, folder: Path) -> None:
        self.arena = arena
        self.folder = folder
        arena.empty_database()
        arena.empty_broker()
        self.database_url = arena.database_url
        self.engine: Engine = connect(self.database_url, pool_size=5)
        self.workers: list[WorkerProcess] = []
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    def add_worker(
        self, *, seconds: tuple[float, float] = (0.0, 0.0), database_url: str | None = None, **settings: object
    ) -> WorkerProcess:
        """Start a worker and wait until it takes messages."""
        behaviour = Behaviour(self.folder, f"w{len(self.workers)}", seconds)
        everything = {
            **QUICK,
            "home": self.folder,
            "database_url": database_url or self.database_url,
            "broker_url": self.arena.broker_url,
            **settings,
        }
        worker = WorkerProcess(everything, behaviour)
        self.workers.append(worker)
        before = self.count("SELECT count(*) FROM workers")
        worker.start()
        self.wait_until(lambda: self.count("SELECT count(*) FROM workers") > before, "the worker is there")
        return worker

    def keep_workers(self) -> None:
        """Start workers again that end, as the supervisor does."""
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while not self._closed.wait(0.2):
            for worker in self.workers:
                if not worker.is_alive():
                    worker.start()

    def has_logged(self, worker: int, *events: str) -> bool:
        """Tell whether a worker has logged one of these events."""
        log = (self.folder / f"w{worker}.log").read_text()
        return any(event in log for event in events)

    def switch(self, name: str, *, on: bool = True, kind: str = "") -> None:
        """Turn one of the engine's switches, for steps of a kind or for all."""
        path = self.folder / name
        if on:
            path.write_text(kind)
        else:
            path.unlink(missing_ok=True)

    def submit(
        self, texts: Sequence[str], *, is_sent: bool = True, priority: Priority = Priority.NORMAL, **options: object
    ) -> list[UUID]:
        """Store jobs and send their messages, as a producer does."""
        jobs, step_messages = add_jobs(self.engine, texts, options=choose_options(**options), priority=priority)
        if is_sent:
            self.publish(step_messages)
        return jobs

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Send messages."""
        app = make_celery(self.arena.broker_url)
        try:
            return CeleryPublisher(app).publish(step_messages)
        finally:
            app.close()

    def cancel(self, job: UUID) -> None:
        """Ask for a job's end, as ``gistmill cancel`` does."""
        with Session(self.engine) as session, session.begin():
            session.execute(update(Job).where(Job.id == job).values(cancel_requested_at=func.now()))

    def delete_queue(self, queue: str, level: int) -> None:
        """Take the messages of one level of a queue from the broker."""
        with redis.Redis.from_url(self.arena.broker_url) as broker:
            broker.delete(f"{queue}{LEVEL_SEPARATOR}{level}")

    def count_messages(self) -> int:
        """Return how many messages wait on the broker."""
        with redis.Redis.from_url(self.arena.broker_url) as broker:
            lists = [name for name in broker.keys("*.default*") if broker.type(name) == b"list"]
            return sum(broker.llen(name) for name in lists)

    def count(self, statement: str, **values: object) -> int:
        """Return the one number that a statement asks for."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(statement), values).scalar_one())

    def read_steps(self, *columns: Any, **values: object) -> list[Any]:
        """Return columns of steps whose other columns have these values, by their place."""
        with Session(self.engine) as session:
            chosen = select(*columns).filter_by(**values).order_by(Step.job_id, Step.kind, Step.level, Step.index)
            return list(session.execute(chosen).all())

    def read_states(self, jobs: Sequence[UUID]) -> list[str]:
        """Return the states of jobs, in their order."""
        with Session(self.engine) as session:
            return [session.get_one(Job, job).state for job in jobs]

    def wait_until(self, is_true: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
        """Wait for a condition through outages of Postgres."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if is_true():
                    return
            except OperationalError:
                time.sleep(0.1)
            time.sleep(0.05)
        error = AssertionError(f"waited {seconds} s in vain until {what}")
        # What happens once in many runs must say at once what it was.
        error.add_note(self._describe_open())
        raise error

    def wait_for_running(self, count: int = 1) -> None:
        """Wait until that many generations run."""
        running = "SELECT count(*) FROM steps WHERE state = 'running' AND kind <> 'plan'"
        self.wait_until(lambda: self.count(running) >= count, f"{count} steps run")

    def wait_for_held(self, count: int = 1) -> None:
        """Wait until the switch ``hold`` keeps that many generations."""
        self.wait_until(lambda: len(list(self.folder.glob(f"{HELD}*"))) >= count, f"{count} generations wait")

    def is_over(self) -> bool:
        """Tell whether every job and its check have ended."""
        is_open = select(func.count()).where(or_(Job.state.in_(OPEN_STATES), is_being_checked()))
        with Session(self.engine) as session:
            return session.scalar(is_open) == 0

    def wait_for_end(self, *, seconds: float = PATIENCE) -> None:
        """Wait until every job and its check have ended, and look at every promise."""
        self.wait_until(self.is_over, "every job is final", seconds=seconds)
        assert_nothing_lost_or_doubled(self.engine)

    def assert_all_succeeded(self, jobs: int) -> None:
        """Fail unless every one of so many jobs has its whole summary."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT state, count(*) FROM jobs GROUP BY state"))
            assert [tuple(row) for row in rows] == [("succeeded", jobs)]

    def _describe_open(self) -> str:
        columns = (Step.kind, Step.level, Step.index, Step.state, Step.attempt, Step.is_solo, Step.dispatches)
        steps = [str(row) for state in ("ready", "running") for row in self.read_steps(*columns, state=state)]
        logs = [(self.folder / f"w{number}.log").read_text()[-20_000:] for number in range(len(self.workers))]
        return "\n".join([*steps, f"{self.count_messages()} messages wait", *logs])

    def close(self) -> None:
        """End everything, and leave the servers as they were found."""
        self._closed.set()
        if self._keeper is not None:
            self._keeper.join()
        for worker in self.workers:
            worker.end()
        self.engine.dispose()
        self.arena.repair()


def choose_options(**values: object) -> JobOptions:
    """Return options with small chunks, none of them so small that it is its own summary."""
    return make_options(**{"chunk_tokens": 60, "overlap_tokens": 0, "generation": {"max_new_tokens": 40}, **values})


def write_text(name: str, sections: int, *, poisoned: int | None = None) -> str:
    """Return a document that is cut into one chunk per section."""
    return "\n\n".join(
        f"## {name} {number}\n\n"
        + ("arsenic " if number == poisoned else "")
        + f"Sentence {number} of {name} says that value {number} is {number * 7}. "
        + "More words follow here. " * 10
        for number in range(sections)
    )


def end_in_order(worker: WorkerProcess) -> int | None:
    """Ask a worker to end and return its exit code."""
    worker.signal(signal.SIGTERM)
    return worker.wait()
