"""Filled databases of earlier versions: an upgrade keeps every row, today's code reads them, and open jobs go on.

``schemas`` has a database of each released version, as ``python -m tests.dump_schema`` writes it before a release, and
two from before the first release, named by their revision: databases of these are in use too.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from migrations.run import find_head, upgrade
from models import recovery
from models.job import OPEN_STATES, Job
from models.listing import JobFilter, read_page
from models.session import connect
from models.step import Step, StepState
from producer.export_columns import JOB_COLUMNS, choose_values
from producer.provenance import read_provenance
from producer.summaries import read_summaries
from tests.conftest import create_database
from tests.fake_engine import FakeGenerator
from tests.hand_driven import WORKER, HandDrivenWorker
from workers.local.home import Home

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
# Columns whose values an upgrade computes for rows that are there.
COMPUTED = {"jobs": {"position"}}


@pytest.fixture(params=SCHEMAS, ids=[path.stem for path in SCHEMAS])
def filled(request: pytest.FixtureRequest, home: Home) -> Iterator[Engine]:
    """A database of an earlier version, with four jobs."""
    engine = connect(create_database(home, f"test_{uuid.uuid4().hex[:12]}", "template1"))
    with engine.begin() as connection:
        sql = request.param.read_text(encoding="utf-8")
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    yield engine
    engine.dispose()


def read_tables(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, each as its values by column."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    with engine.connect() as connection:
        return {
            name: list(connection.execute(text(f"SELECT to_jsonb(r) FROM {name} AS r ORDER BY r::text")).scalars())
            for name in connection.execute(text(tables)).scalars()
        }


def test_an_upgrade_keeps_every_row_and_open_jobs_go_on_to_their_end(filled: Engine) -> None:
    before = read_tables(filled)

    upgrade(filled)

    after = read_tables(filled)
    for table, rows in before.items():
        columns = set(rows[0]) - COMPUTED.get(table, set()) if rows else set()
        kept = [{name: row[name] for name in columns} for row in after[table]]
        assert sorted(kept, key=str) == sorted(({name: row[name] for name in columns} for row in rows), key=str), table
    with filled.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == find_head()
    earlier = read_states(filled)
    assert {source: state for source, (state, _) in earlier.items()} == {
        "a.md": "succeeded", "b.md": "running", "c.md": "queued", "d.md": "failed",
    }  # fmt: skip
    finish_open_jobs(filled)
    ended = read_states(filled)
    assert {source: state for source, (state, _) in ended.items()} == {
        "a.md": "succeeded", "b.md": "succeeded", "c.md": "succeeded", "d.md": "failed",
    }  # fmt: skip
    assert ended["a.md"] == earlier["a.md"]
    assert all(ended[source][1] for source in ("a.md", "b.md", "c.md"))


def read_states(engine: Engine) -> dict[str, tuple[str, str | None]]:
    """Read every job with everything of it, as the commands do, and return state and summary by document."""
    with Session(engine) as session:
        page = read_page(session, JobFilter())
        summaries = read_summaries(session, page)
        for summary in summaries:
            assert choose_values(summary, JOB_COLUMNS)["source"] == summary.source
            provenance = read_provenance(session, summary.id)
            assert all(chunk.text for chunk in provenance.chunks)
            assert len(provenance.steps) == summary.job.steps
    assert all(summary.weights.startswith("default: weights (") for summary in summaries if summary.text)
    return {summary.source: (summary.state, summary.text) for summary in summaries}


def finish_open_jobs(engine: Engine) -> None:
    """Take back the steps of workers that died, and run steps until no job is open."""
    with Session(engine) as session, session.begin():
        lost = []
        for steps in recovery.find_open_partitions(session):
            recovery.expire_leases_of(session, steps, [WORKER])
            lost += recovery.take_back_lost(session, steps)
        assert len(lost) == 1
        session.execute(update(Step).where(Step.state == StepState.READY).values(available_at=text("now()")))
    worker = HandDrivenWorker(engine, FakeGenerator())
    waiting = select(Step.id).where(Step.state == StepState.READY).order_by(Step.level, Step.index).limit(1)
    while True:
        with Session(engine) as session:
            step = session.scalar(waiting)
        if step is None:
            break
        worker.run_step(step)
    with Session(engine) as session:
        assert not session.scalars(select(Job).where(Job.state.in_(OPEN_STATES))).all()


def test_every_released_version_has_its_schema() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)

    assert {path.stem for path in SCHEMAS} >= {"0005", "0012", *released}
