"""Map-reduce against refine against stuffing: consistency, length, tokens and seconds on the same real writeups.

Every strategy summarizes and checks the same documents on a real Postgres with the code that serves, one strategy after
the other, greedily. Seconds are those of the whole strategy, its checks apart.

Run: ``python -m tests.bench.bench_strategies``. Environment: DOCUMENTS (of the 30 writeups), CHARACTERS (of each; 0 for
all), NEW_TOKENS (most that a step writes), DATA (a folder with the table), WEIGHTS (a folder instead of the packaged
ones, which have their adapter). All of it: ``DOCUMENTS=30 CHARACTERS=0 NEW_TOKENS=256``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.checks import request_missing_check
from models.job import Job
from models.listing import JobFilter, list_jobs
from models.options import make_options
from models.queues import StepMessage
from models.session import connect
from models.settings import Settings
from models.views import JobSummary
from producer.sources.reading import read_sources
from producer.sources.source import Source
from tests.bench.bench_quality import find_weights
from tests.chaos.arena import open_arena
from tests.jobs import add_jobs
from tests.shared_data import SHARED_DATA
from workers.broker.tasks import run_step
from workers.comparison import compare_jobs
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.errors import StepError
from workers.evaluation.intervals import estimate_mean
from workers.execution.executor import StepExecutor
from workers.execution.leases import Leases
from workers.execution.store import StepStore
from workers.generation import TextGenerator
from workers.weights.packaged import find_packaged_adapter

TABLE = "kaggle_winning_solutions_methods.csv"
# Small enough for some minutes on two cores; the last one is what the others are compared with.
DOCUMENTS, CHARACTERS, NEW_TOKENS = "4", "4000", "64"
STRATEGIES = ("map-reduce", "refine", "stuff")
# So that documents of the cheap default have several chunks too.
CHUNK_TOKENS = 400
SLOTS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy: means over the documents that got a summary; None where nothing was measurable."""

    strategy: str
    documents: int
    summaries: int
    consistency: float | None
    not_measurable: int
    words: float | None
    tokens_read: float | None
    tokens_written: float | None
    seconds: float


class Runner:
    """Runs steps on many threads, with a list for a broker."""

    def __init__(self, database: Engine, generator: TextGenerator) -> None:
        statements = database.execution_options(isolation_level="AUTOCOMMIT")
        store = StepStore(statements, self, worker_id="bench", lease_seconds=3600)
        leases = Leases(
            database,
            must_end=store.must_end,
            worker_id="bench",
            lease_seconds=3600,
            heartbeat_seconds=60,
            is_hung=lambda: False,
            on_hang=lambda: None,
        )
        self._waiting: list[StepMessage] = []
        self._executor = StepExecutor(store, generator, leases, settings=Settings())

    def publish(self, step_messages: Iterable[StepMessage]) -> int:
        """Take messages, as a broker does."""
        taken = list(step_messages)
        self._waiting += taken
        return len(taken)

    def run(self, step_messages: Iterable[StepMessage]) -> float:
        """Run steps until no message is left, and return the seconds that it took."""
        started = time.monotonic()
        self.publish(step_messages)
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(SLOTS) as pool:
            while self._waiting or running:
                while self._waiting:
                    running.add(pool.submit(self._run_step, self._waiting.pop().step_id))
                _, running = wait(running, return_when=FIRST_COMPLETED)
        return time.monotonic() - started

    def _run_step(self, step_id: UUID) -> None:
        try:
            run_step(self._executor, step_id)
        except StepError as error:
            print(f"a step failed: {error}", flush=True)


def read_texts(data: Path, *, documents: int, characters: int) -> list[str]:
    """Return the writeups as the producer reads them, cut to a length."""
    events = read_sources([data / TABLE], text_column="writeup", limit=documents)
    texts = [event.text for event in events if isinstance(event, Source)]
    return [text[:characters] if characters else text for text in texts]


def run_strategy(
    strategy: str, texts: Sequence[str], *, database: Engine, runner: Runner, new_tokens: int
) -> tuple[UUID, Row]:
    """Summarize and check all documents one way; return the batch and its row."""
    options = make_options(
        strategy=strategy,
        cache=False,
        chunk_tokens=CHUNK_TOKENS,
        generation={"do_sample": False, "max_new_tokens": new_tokens},
    )
    jobs, step_messages = add_jobs(database, texts, options=options)
    seconds = runner.run(step_messages)
    with Session(database) as session, session.begin():
        checks = [step_message for job in jobs for step_message in request_missing_check(session, job)]
    runner.run(checks)
    with Session(database) as session:
        batch = session.get_one(Job, jobs[0]).batch_id
        return batch, make_row(strategy, list(list_jobs(session, JobFilter(batch_id=batch))), seconds)


def make_row(strategy: str, jobs: Sequence[JobSummary], seconds: float) -> Row:
    """Return the means of a batch."""
    summarized = [job for job in jobs if job.summary]
    return Row(
        strategy=strategy,
        documents=len(jobs),
        summaries=len(summarized),
        consistency=_average([job.consistency for job in summarized]),
        not_measurable=sum(job.consistency is None for job in summarized),
        words=_average([len((job.summary or "").split()) for job in summarized]),
        tokens_read=_average([job.prompt_tokens for job in summarized]),
        tokens_written=_average([job.completion_tokens for job in summarized]),
        seconds=seconds,
    )


def print_rows(rows: Sequence[Row]) -> None:
    """Print the table."""
    print("\n| strategy | summaries | consistency | not measurable | words | tokens read | tokens written | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        consistency = "-" if row.consistency is None else f"{row.consistency:.3f}"
        figures = [f"{value:,.0f}" if value is not None else "-" for value in (row.words, row.tokens_read)]
        written = f"{row.tokens_written:,.0f}" if row.tokens_written is not None else "-"
        cells = [f"{row.summaries} of {row.documents}", consistency, row.not_measurable, *figures, written]
        print(f"| {row.strategy} | {' | '.join(map(str, cells))} | {row.seconds:.0f} |")


def print_differences(session: Session, batches: dict[str, UUID]) -> None:
    """Print how each strategy differs from the last one, document by document."""
    last = STRATEGIES[-1]
    for strategy in STRATEGIES[:-1]:
        print(f"\n{strategy} less {last}, with 95 % intervals:")
        for each in compare_jobs(session, batches[last], batches[strategy]).differences:
            print(f"  {each.measure}: {each.difference} over {each.difference.count}")


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return estimate_mean(known).value if known else None


def main() -> None:
    """Summarize three ways, print the tables and one line of JSON."""
    data = Path(os.environ.get("DATA", SHARED_DATA))
    documents = int(os.environ.get("DOCUMENTS", DOCUMENTS))
    characters = int(os.environ.get("CHARACTERS", CHARACTERS))
    new_tokens = int(os.environ.get("NEW_TOKENS", NEW_TOKENS))
    texts = read_texts(data, documents=documents, characters=characters)
    print(f"{len(texts)} writeups, {sum(map(len, texts)):,} characters, at most {new_tokens} new tokens a step")
    rows, batches = [], {}
    adapter = None if "WEIGHTS" in os.environ else find_packaged_adapter()
    config = EngineConfig(weights=str(find_weights()), adapter=adapter and str(adapter), slots=SLOTS)
    with open_arena() as arena, closing(load_engine(config)) as engine:
        database = connect(arena.database_url, pool_size=SLOTS + 2)
        runner = Runner(database, engine)
        for strategy in STRATEGIES:
            batches[strategy], row = run_strategy(
                strategy, texts, database=database, runner=runner, new_tokens=new_tokens
            )
            rows.append(row)
            print(f"{strategy}: {row.seconds:.0f} s", flush=True)
        print_rows(rows)
        with Session(database) as session:
            print_differences(session, batches)
        database.dispose()
    print(json.dumps({row.strategy: asdict(row) for row in rows}))


if __name__ == "__main__":
    main()
