"""What a step, a page and a deletion cost in Postgres with a thousand steps and with ten million in twelve months.

Examples:
  python -m tests.bench.bench_steps
  python -m tests.bench.bench_steps --rows 100000
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from models import recovery, step_updates
from models.batch_counts import count_batches
from models.claims import Claim, claim_steps
from models.deletion import DeletionRequest, begin_deletion, carry_out
from models.listing import JobFilter, read_page
from models.month_deletion import drop_months
from models.partitions import list_ranges
from models.results import StepResult, end_siblings, find_cached
from models.session import connect
from models.tables import DeletionKind
from producer.status import take_snapshot
from producer.summaries import read_summaries
from tests.bench.step_tables import JOBS_PER_BATCH, STEPS_PER_JOB, fill_tables
from tests.chaos.arena import Arena, open_arena

SMALL = 1_000
LARGE = 10_000_000
MONTHS = 12
RUNNING = 100
REPEATS = 200
# So that the filling is short.
SETTINGS = {
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class Bench:
    """One database of steps and what is done with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._claims: list[Claim] = []
        with engine.connect() as connection:
            ready = text("SELECT id FROM steps WHERE state = 'ready' ORDER BY random() LIMIT 3000")
            self._ready: list[UUID] = list(connection.scalars(ready))
            batches = text("SELECT id FROM batches ORDER BY created_at DESC, id LIMIT 1")
            self._batch: UUID = connection.execute(batches).scalar_one()
            cached = text("SELECT identity FROM cached_results LIMIT 1")
            self._identity: str = connection.execute(cached).scalar_one()
        for _ in range(min(RUNNING, len(self._ready) // 4)):
            self.claim()

    def claim(self) -> Claim:
        """Claim a ready step."""
        with self._statements.connect() as connection:
            [claim] = claim_steps(connection, {uuid4(): self._ready.pop()}, worker="w", lease_seconds=600).values()
        return claim

    def keep_claim(self) -> None:
        """Claim a ready step and keep it for ``finish``."""
        self._claims.append(self.claim())

    def renew(self) -> None:
        """Renew the leases of a worker with sixteen slots."""
        with Session(self._engine) as session, session.begin():
            step_updates.renew_leases(session, self._claims[-16:], lease_seconds=600)

    def finish(self) -> None:
        """Store a result while other steps of the job are unfinished."""
        result = StepResult(output="A summary.", identity=uuid4().hex)
        with self._statements.connect() as connection:
            assert end_siblings(connection, [(self._claims.pop(), result)], worker="w")

    def miss_cache(self) -> None:
        """Look for a result that no step has."""
        with self._statements.connect() as connection:
            assert find_cached(connection, "0" * 64) is None

    def hit_cache(self) -> None:
        """Look for a result that a step has."""
        with self._statements.connect() as connection:
            assert find_cached(connection, self._identity)

    def rescue(self) -> None:
        """Run the statements of a pass of the rescue that finds nothing."""
        with Session(self._engine) as session, session.begin():
            recovery.find_cancelling(session)
            for steps in recovery.find_open_partitions(session):
                recovery.take_back_lost(session, steps)
                recovery.dispatch_waiting(session, steps)
                recovery.find_ready_queues(session, steps)
                recovery.dispatch_forgotten(session, steps, [("reduce.default", 3), ("map.default", 0)], 30)

    def take_back(self) -> None:
        """Take back the leases of one dead worker with sixteen steps."""
        with self._engine.begin() as connection:
            lost = [self._claims.pop().step_id for _ in range(min(16, len(self._claims)))]
            expire = text("UPDATE steps SET lease_until = now() - interval '1 s' WHERE id = ANY(:ids)")
            connection.execute(expire, {"ids": lost})
        with Session(self._engine) as session, session.begin():
            assert sum(len(recovery.take_back_lost(session, steps)) for steps in recovery.find_open_partitions(session))

    def resend(self) -> None:
        """Send the oldest messages again."""
        with Session(self._engine) as session, session.begin():
            for steps in recovery.find_open_partitions(session):
                recovery.dispatch_old(session, steps)

    def find_stuck(self) -> None:
        """Look at every open job."""
        with Session(self._engine) as session:
            recovery.find_stuck(session)

    def show_status(self) -> None:
        """Read what the page of one batch shows: a hundred jobs of ten steps."""
        with Session(self._engine) as session:
            assert take_snapshot(session, self._batch).progress.steps

    def list_batches(self) -> None:
        """Read what the list of batches shows."""
        with Session(self._engine) as session:
            assert count_batches(session, limit=20)

    def show_results(self) -> None:
        """Read a page of results: the first jobs of one batch."""
        with Session(self._engine) as session:
            assert read_summaries(session, read_page(session, JobFilter(batch_id=self._batch, limit=50)))

    def delete_batch(self) -> None:
        """Delete a batch of a hundred jobs and a thousand steps."""
        with Session(self._engine) as session, session.begin():
            deletion = begin_deletion(session, DeletionRequest(DeletionKind.BATCH, str(self._batch)), by="bench")
        carry_out(self._engine, deletion)

    def drop_month(self) -> int:
        """Drop the steps of the oldest month, and return their number."""
        with Session(self._engine) as session, session.begin():
            oldest = min(steps.month for steps in list_ranges(session) if steps.month is not None)
            # Everything that ended in its month.
            end = datetime(1970 + (oldest + 1) // 12, (oldest + 1) % 12 + 1, 1, tzinfo=UTC)
            request = DeletionRequest(DeletionKind.AGE, end.isoformat())
            deletion = begin_deletion(session, request, by="bench")
        drop_months(self._engine, deletion, request.age_condition)
        with self._engine.connect() as connection:
            steps = connection.execute(text("SELECT steps FROM deletions WHERE id = :id"), {"id": deletion})
            return int(steps.scalar_one())

    def measure(self) -> dict[str, float]:
        """Return milliseconds by operation; the order makes each find what it needs."""
        count = min(REPEATS, len(self._ready) // 4)
        figures = {"claim": measure_median(self.keep_claim, count)}
        figures["renew 16 leases"] = measure_median(self.renew, 50)
        figures["finish"] = measure_median(self.finish, count // 2)
        figures["cache, no result"] = measure_median(self.miss_cache, 50)
        figures["cache, a result"] = measure_median(self.hit_cache, 50)
        figures["quiet rescue pass"] = measure_median(self.rescue, 20)
        figures["take back 16 leases"] = measure_median(self.take_back, min(5, len(self._claims) // 16))
        figures["resend 100 messages"] = measure_median(self.resend, 5)
        figures["look for stuck jobs"] = measure_median(self.find_stuck, 3)
        figures["status page"] = measure_median(self.show_status, 10)
        figures["list of batches"] = measure_median(self.list_batches, 10)
        figures["results page"] = measure_median(self.show_results, 10)
        figures[f"delete {JOBS_PER_BATCH} jobs, {JOBS_PER_BATCH * STEPS_PER_JOB:,} steps"] = measure_median(
            self.delete_batch, 1
        )
        return figures


def measure_median(act: Callable[[], object], repeats: int) -> float:
    """Return the median milliseconds of an operation."""
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1000


def prepare_server(arena: Arena) -> str:
    """Set Postgres up for a large database, and return its address for psycopg."""
    url = make_url(arena.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    arena.restart_postgres()
    return url


def main() -> int:
    """Measure both sizes and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=LARGE)
    rows = parser.parse_args().rows
    figures, dropped = {}, {}
    for size, months in ((SMALL, 1), (rows, MONTHS)):
        with open_arena() as arena:
            url = prepare_server(arena)
            started = time.perf_counter()
            fill_tables(url, size, months=months)
            print(f"{size:,} steps stored in {time.perf_counter() - started:.0f} s", flush=True)
            engine = connect(arena.database_url, pool_size=2)
            bench = Bench(engine)
            figures[size] = bench.measure()
            if months > 1:
                started = time.perf_counter()
                dropped = {"steps": bench.drop_month(), "seconds": round(time.perf_counter() - started, 2)}
            engine.dispose()
    table = Table("operation, median ms", f"{SMALL:,} steps", f"{rows:,} steps")
    for name in figures[rows]:
        table.add_row(name, *(f"{figures[size][name]:.2f}" for size in (SMALL, rows)))
    Console().print(table)
    print(f"a month dropped: {dropped}")
    print(json.dumps({"rows": rows, "ms": figures[rows], "ms_small": figures[SMALL], "month_dropped": dropped}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
