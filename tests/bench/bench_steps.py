"""What one step costs in Postgres when the table of steps is small and when it has a million rows.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from models import recovery, step_updates
from models.claims import Claim, claim_steps
from models.results import StepResult, end_siblings, find_cached
from models.session import connect
from tests.chaos.arena import open_arena

SMALL = 1_000
LARGE = 1_000_000
STEPS_PER_JOB = 10
# The steps of one job in so many are ready; the rest are done, as in a cluster that has worked for a while.
DONE_TO_READY = 10
# So that the small table has enough to claim.
MIN_READY_JOBS = 50
RUNNING = 100
REPEATS = 200

FILL = """
INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'bench', '{}');
INSERT INTO documents (sha256, format, text, details) VALUES (repeat('0', 64), 'text', 'A text.', '{}');
INSERT INTO jobs (id, batch_id, identity, document_sha256, source, options, weights, priority, state, pending)
SELECT gen_random_uuid(), (SELECT id FROM batches), number, repeat('0', 64), 'source', '{}', 'default', 3, 'running',
    1000
FROM generate_series(1, :jobs) AS number;
INSERT INTO chunks (job_id, index, start_at, end_at, headings, tokens)
SELECT id, place, 0, 7, '[]', 2 FROM jobs CROSS JOIN generate_series(0, :last) AS place;
INSERT INTO steps (
    id, job_id, kind, level, index, inputs, state, queue, priority, dispatched_at, dispatches, available_at, output)
SELECT gen_random_uuid(), jobs.id, 'map', 0, place, jsonb_build_array(jsonb_build_object('chunk', place)),
    CASE WHEN is_ready THEN 'ready' ELSE 'done' END, 'map.default', 3 + place % 3,
    now() - random() * interval '20 minutes', 1, now() - interval '1 hour',
    CASE WHEN is_ready THEN NULL ELSE repeat('A sentence of a summary. ', 20) END
FROM (SELECT id, row_number() OVER () > :done_jobs AS is_ready FROM jobs) AS jobs
CROSS JOIN generate_series(0, :last) AS place;
"""


@contextmanager
def record_statements(engine: Engine) -> Iterator[list[tuple[str, object]]]:
    """Collect the statements that run on steps."""
    seen: list[tuple[str, object]] = []

    def keep(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield seen
    event.remove(engine, "before_cursor_execute", keep)


class Bench:
    """One table of steps and what is done with it."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self._engine = engine
        self._statements = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._fill(rows)
        with engine.connect() as connection:
            self._ready: list[UUID] = list(
                connection.scalars(text("SELECT id FROM steps WHERE state = 'ready' ORDER BY random() LIMIT 3000"))
            )
        for _ in range(min(RUNNING, len(self._ready) // 4)):
            self.claim()
        self._claims: list[Claim] = []

    def _fill(self, rows: int) -> None:
        jobs = rows // STEPS_PER_JOB
        values = {
            "jobs": jobs,
            "last": STEPS_PER_JOB - 1,
            "done_jobs": jobs - max(MIN_READY_JOBS, jobs // DONE_TO_READY),
        }
        with self._engine.begin() as connection:
            for statement in filter(str.strip, FILL.split(";")):
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), used)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))

    def claim(self) -> Claim:
        """Take one ready step."""
        with self._statements.connect() as connection:
            [claim] = claim_steps(connection, {uuid4(): self._ready.pop()}, worker="w", lease_seconds=600).values()
        return claim

    def keep_claim(self) -> None:
        """Take one ready step and keep it for ``finish``."""
        self._claims.append(self.claim())

    def renew(self) -> None:
        """Renew the leases of a worker with sixteen slots."""
        tokens = [claim.token for claim in self._claims[-16:]]
        with Session(self._engine) as session, session.begin():
            step_updates.renew_leases(session, tokens, lease_seconds=600)

    def finish(self) -> None:
        """Store a result while other steps of the job still run."""
        claim = self._claims.pop()
        with self._statements.connect() as connection:
            assert end_siblings(connection, [(claim, StepResult(output="A summary."))], worker="w")

    def look_into_cache(self) -> None:
        """Look for a result that nobody has made."""
        with self._statements.connect() as connection:
            assert find_cached(connection, "0" * 64) is None

    def rescue(self) -> None:
        """Ask everything that a quiet pass of the rescue asks."""
        with Session(self._engine) as session, session.begin():
            recovery.take_back_lost(session)
            recovery.find_cancelling(session)
            recovery.dispatch_waiting(session)
            recovery.find_ready_queues(session)
            recovery.dispatch_forgotten(session, [("reduce.default", 3), ("map.default", 0)], 30)

    def take_back(self) -> None:
        """Take back the lease of one dead worker with sixteen steps."""
        with self._engine.begin() as connection:
            connection.execute(
                text("UPDATE steps SET lease_until = now() - interval '1 s' WHERE id = ANY(:ids)"),
                {"ids": [self._claims.pop().step_id for _ in range(min(16, len(self._claims)))]},
            )
        with Session(self._engine) as session, session.begin():
            assert recovery.take_back_lost(session)

    def resend(self) -> None:
        """Send the oldest messages again."""
        with Session(self._engine) as session, session.begin():
            recovery.dispatch_old(session)

    def look_for_stuck(self) -> None:
        """Look at every open job."""
        with Session(self._engine) as session:
            recovery.find_stuck(session)

    def time(self, act: Callable[[], None], repeats: int) -> float:
        """Return the median milliseconds of an operation."""
        spent = []
        for _ in range(repeats):
            started = time.perf_counter()
            act()
            spent.append(time.perf_counter() - started)
        return statistics.median(spent) * 1000

    def explain(self, act: Callable[[], None]) -> list[str]:
        """Return the lines of an operation's plans that read a whole table of steps or jobs."""
        with record_statements(self._engine) as seen:
            act()
        scans: list[str] = []
        with self._engine.connect() as connection:
            for statement, parameters in seen:
                if statement.startswith(("SELECT", "UPDATE", "WITH")) and "steps" in statement + "jobs":
                    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                    scans += [row[0].strip() for row in rows if "Seq Scan on steps" in row[0]]
        return scans

    def measure(self) -> dict[str, float]:
        """Return milliseconds by operation; the order makes each find what it needs."""
        count = min(REPEATS, len(self._ready) // 4)
        figures = {"claim": self.time(self.keep_claim, count)}
        figures["renew 16 leases"] = self.time(self.renew, 50)
        figures["finish"] = self.time(self.finish, count // 2)
        figures["look into cache"] = self.time(self.look_into_cache, 50)
        figures["quiet rescue pass"] = self.time(self.rescue, 20)
        figures["take back 16 leases"] = self.time(self.take_back, min(5, len(self._claims) // 16))
        figures["resend 100 messages"] = self.time(self.resend, 5)
        figures["look for stuck jobs"] = self.time(self.look_for_stuck, 3)
        return figures

    def find_scans(self) -> dict[str, list[str]]:
        """Return the operations that read the whole table, with the lines that say so."""
        for _ in range(17):
            self.keep_claim()
        acts = {
            "claim": self.keep_claim,
            "renew": self.renew,
            "finish": self.finish,
            "look into cache": self.look_into_cache,
            "rescue": self.rescue,
            "take back": self.take_back,
            "resend": self.resend,
        }
        return {name: lines for name, act in acts.items() if (lines := self.explain(act))}


def main() -> int:
    """Measure both sizes and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=LARGE)
    rows = parser.parse_args().rows
    figures, scans = {}, {}
    for size in (SMALL, rows):
        with open_arena() as arena:
            engine = connect(arena.database_url, pool_size=2)
            bench = Bench(engine, size)
            figures[size] = bench.measure()
            scans = bench.find_scans()
            engine.dispose()
    table = Table("operation, median ms", f"{SMALL:,} rows", f"{rows:,} rows")
    for name in figures[rows]:
        table.add_row(name, *(f"{figures[size][name]:.2f}" for size in (SMALL, rows)))
    Console().print(table)
    print(f"sequential scans of steps at {rows:,} rows: {scans or 'none'}")
    print(json.dumps({"rows": rows, "ms": figures[rows], "ms_small": figures[SMALL], "sequential_scans": len(scans)}))
    return int(bool(scans))


if __name__ == "__main__":
    sys.exit(main())
