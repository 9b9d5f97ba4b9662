"""What the benches run on: a database and a broker of their own, filled by SQL, and workers to measure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from migrations.run import upgrade
from models.job import Priority
from models.options import JobOptions, make_options
from models.outbox import find_unclaimed
from models.partitions import step_id
from models.publisher import CeleryPublisher, make_celery
from models.queues import StepMessage
from models.session import connect
from tests.chaos.arena import Arena
from tests.fake_engine import FakeGenerator
from tests.fake_worker import describe_command
from workers.execution.job_options import make_prompts, plan_options
from workers.execution.reclaim import Reclaimer
from workers.summarization.planning import Plan, SourceDocument, plan_job

# Map steps of a job: those of the first level on the broker, so that reduce steps come between them all the time.
CHUNKS = 8
# Sentences are not verified: that is work on the text, as the engine's is, and would take several times as long as all
# of the queue's. Chunks are longer than an answer: else they would stand for their own summaries, and no map step would
# call the engine.
OPTIONS = make_options(
    strategy="map-reduce",
    style="technical",
    chunk_tokens=60,
    overlap_tokens=0,
    grounding="off",
    generation={"max_new_tokens": 32},
)
# As jobs are by default.
VERIFIED = OPTIONS.model_copy(update={"grounding": "strict"})
# Stands in the text where each job has its number, so that every document is another one with the same spans.
NUMBER = "00000000"
PATIENCE_SECONDS = 600
# For a worker to drain the steps that it has, for which it takes 60 s at most, and to let go of its weights.
STOP_SECONDS = 120

FILL = """
INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'bench', '{}');
INSERT INTO documents (sha256, format, text, details)
SELECT encode(sha256(number::text::bytea), 'hex'), 'markdown', replace(:body, :mark, lpad(number::text, 8, '0')), '{}'
FROM generate_series(1, :jobs) AS number;
INSERT INTO jobs (id, batch_id, identity, document_sha256, source, options, weights, priority, state, strategy, plan,
    pending, started_at)
SELECT gen_random_uuid(), (SELECT id FROM batches), sha256, sha256, sha256, CAST(:options AS jsonb), 'default',
    :priority, 'running', 'map-reduce', CAST(:plan AS jsonb), :chunk_count, now()
FROM documents;
INSERT INTO chunks (job_id, index, start_at, end_at, headings, tokens)
SELECT jobs.id, chunk.index, chunk.start, chunk.end, chunk.headings, chunk.tokens
FROM jobs CROSS JOIN
    jsonb_to_recordset(CAST(:chunks AS jsonb)) AS chunk(index int, start int, "end" int, headings jsonb, tokens int)
"""
# A step's id follows from its place in the job, which SQL cannot compute: a reduce step finds its map steps by it.
FILL_STEPS = """
INSERT INTO steps (id, job_id, kind, level, index, inputs, state, queue, priority, dispatched_at, dispatches)
SELECT id, job_id, 'map', 0, index, jsonb_build_array(jsonb_build_object('chunk', index)), 'ready', 'map.default',
    :priority, now(), 1
FROM unnest(CAST(:ids AS uuid[]), CAST(:job_ids AS uuid[]), CAST(:indexes AS int[])) AS step(id, job_id, index)
"""


def write_body(sections: int = CHUNKS) -> str:
    """Return a document that is cut into one chunk per section."""
    filler = "More words of it follow here, as they do in every text. " * 4
    return "\n\n".join(
        f"## Part{place} of {NUMBER}\n\nSentence {place} of {NUMBER} says {place * 7}. {filler}"
        for place in range(sections)
    )


def plan_body(body: str) -> Plan:
    """Plan a document as a worker with the null engine does."""
    generator = FakeGenerator()
    plan = plan_job(
        SourceDocument(body, "markdown"),
        plan_options(OPTIONS),
        prompts=make_prompts(OPTIONS, generator.prompt_format),
        counter=generator,
        context_tokens=generator.context_tokens,
        max_new_tokens=OPTIONS.generation.max_new_tokens,
    )
    assert len(plan.split.chunks) == CHUNKS, f"{len(plan.split.chunks)} chunks instead of {CHUNKS}"
    return plan


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > until:
            raise SystemExit(f"waited {PATIENCE_SECONDS} s in vain until {what}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database and a database of the broker, with the addresses that its workers get."""

    database_url: str
    broker_url: str
    engine: Engine
    # Process ids of Postgres and the broker.
    servers: tuple[int, ...]

    def fill(self, steps: int, options: JobOptions = OPTIONS) -> float:
        """Store planned jobs with that many ready map steps, send their messages, and return messages per second."""
        body = write_body()
        plan = plan_body(body)
        values = {
            "body": body,
            "mark": NUMBER,
            "jobs": -(-steps // CHUNKS),
            "options": options.model_dump_json(),
            "plan": json.dumps(
                {
                    "chunks": CHUNKS,
                    "splitter": plan.split.splitter,
                    "limits": asdict(plan.limits),
                    "totals": asdict(plan.totals),
                }
            ),
            "chunk_count": CHUNKS,
            "chunks": json.dumps([asdict(chunk) for chunk in plan.split.chunks]),
            "priority": int(Priority.NORMAL),
        }
        with self.engine.begin() as connection:
            for statement in filter(str.strip, FILL.split(";")):
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), used)
            jobs = list(connection.scalars(text("SELECT id FROM jobs")))
            places = [(job, index) for job in jobs for index in range(CHUNKS)]
            connection.execute(
                text(FILL_STEPS),
                {
                    "ids": [step_id(job, "map", 0, index) for job, index in places],
                    "job_ids": [job for job, _ in places],
                    "indexes": [index for _, index in places],
                    "priority": int(Priority.NORMAL),
                },
            )
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        return self._publish(jobs)

    def _publish(self, jobs: list[object]) -> float:
        with Session(self.engine) as session:
            step_messages: list[StepMessage] = []
            for job in jobs:
                step_messages += find_unclaimed(session, job)  # type: ignore[arg-type]
        app = make_celery(self.broker_url)
        started = time.monotonic()
        assert CeleryPublisher(app).publish(step_messages) == len(step_messages)
        app.close()
        return len(step_messages) / (time.monotonic() - started)

    def read_number(self, statement: str, **values: object) -> float:
        """Return the one number that a statement asks for."""
        with self.engine.connect() as connection:
            return float(connection.execute(text(statement), values).scalar_one())

    def count_messages(self, queue: str) -> int:
        """Return how many messages of normal priority wait on a queue."""
        with redis.Redis.from_url(self.broker_url) as broker:
            return sum(broker.llen(name) for name in broker.scan_iter(f"{queue}*") if broker.type(name) == b"list")

    @contextmanager
    def run_worker(
        self,
        *arguments: str,
        slots: int,
        node: str = "null",
        environment: dict[str, str] | None = None,
        **settings: str,
    ) -> Iterator[int]:
        """Run a worker process for the length of a block, and yield its id; it is asked to end in order."""
        settings |= {
            "database_url": self.database_url,
            "broker_url": self.broker_url,
            "slots": str(slots),
            "log_level": "error",
            "node": f"{node}@bench",
        }
        process = subprocess.Popen(
            describe_command("-m", *arguments, **settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            # The command replaces itself with the interpreter, which keeps the id.
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=STOP_SECONDS)


@contextmanager
def open_cluster(arena: Arena, place: int) -> Iterator[Cluster]:
    """Make a migrated database and take one of the broker's for the length of a block."""
    name = f"bench_{os.getpid()}_{place}_{time.monotonic_ns()}"
    with psycopg.connect(arena.home.postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database_url = arena.database_url.rsplit("/", 1)[0] + f"/{name}"
    broker_url = arena.broker_url.rsplit("/", 1)[0] + f"/{place}"
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushdb()
    engine = connect(database_url, pool_size=2)
    upgrade(engine)
    # As in a cluster that has run before; a broker that no worker has seen yet counts as one that has lost everything.
    app = make_celery(broker_url)
    Reclaimer(engine, broker_url, CeleryPublisher(app), redispatch_seconds=30, restart_grace_seconds=60).run_pass()
    app.close()
    try:
        yield Cluster(database_url, broker_url, engine, (arena.postgres.pid, arena.valkey.pid))
    finally:
        engine.dispose()
        with psycopg.connect(arena.home.postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def find_peak(usage: object) -> float:
    """Return the peak memory of a process that was waited for, in MB."""
    return float(usage.ru_maxrss) / 1024  # type: ignore[attr-defined]


def run_measured(command: list[str], log: Path) -> tuple[float, float]:
    """Run a command to its end and return its seconds and its peak memory in MB."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {log.read_text()[-500:]}")
    return time.monotonic() - started, find_peak(usage)
