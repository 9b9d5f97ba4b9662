"""Writes a database of this version, with a few jobs in every state, as SQL for ``tests/migration/test_upgrades.py``.

``python -m tests.dump_schema 0.1.0`` before a release writes ``tests/migration/schemas/0.1.0.sql``. A file is never
changed once its version is released, because databases have its schema.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.orm import Session

import gistmill
from migrations.run import upgrade
from models.job import Job
from models.step import Step, StepState
from models.tables import Evaluation, Weights, WeightsKind
from tests.conftest import _run_servers, create_database
from tests.dumps import dump_database
from tests.fake_engine import FakeGenerator
from tests.hand_driven import WORKER, Driver, HandDrivenWorker
from tests.processes import make_open_folder
from workers.local.home import open_home

SCHEMAS = Path(__file__).parent / "migration" / "schemas"
SENTENCES = (
    "The river rose by four metres in two days", "The council closed both bridges on Friday",
    "Engineers measured the piers from a boat", "The ferry carried nine hundred people",
)  # fmt: skip
OPTIONS = {"strategy": "map-reduce", "style": "news", "chunk_tokens": 64, "overlap_tokens": 0}
# Lines of a dump that no database needs.
NOISE = ("--", "SET ", "\\", "SELECT pg_catalog.set_config")


def main() -> None:
    """Write the file of a version."""
    with make_open_folder() as folder:
        for home in _run_servers(open_home(folder)):
            url = create_database(home, "filled", "template1")
            engine = create_engine(url)
            upgrade(engine)
            fill(engine, gistmill.connect(url, home.valkey.url))
            engine.dispose()
            dump = dump_database(url, "--inserts", "--no-owner", "--no-privileges")
            (SCHEMAS / f"{sys.argv[1]}.sql").write_text(compact_dump(dump))


def fill(engine: Engine, client: gistmill.Client) -> None:
    """Make four jobs: a.md has succeeded, the worker of b.md has died, c.md waits, d.md has failed."""
    client.submit([make_document(name) for name in "abcd"], name="reports", **OPTIONS)
    driver, worker = Driver(engine), HandDrivenWorker(engine, FakeGenerator(), node=WORKER)
    driver.register()
    with Session(engine) as session, session.begin():
        session.add(Weights(name="gemma-3-270m", kind=WeightsKind.BASE, location="packaged", fingerprint="c" * 64))
        jobs = {job.source: job.id for job in session.scalars(select(Job))}
    while steps := list_ready(engine, "a.md"):
        worker.run_step(steps[0])
    worker.run_step(list_ready(engine, "b.md")[0])
    first, second, *_ = list_ready(engine, "b.md")
    worker.run_step(first)
    worker.executor.claim(second)
    driver.fail(jobs["d.md"], "plan")
    with Session(engine) as session, session.begin():
        session.execute(insert(Evaluation).values(job_id=jobs["a.md"], metric="rouge1", value=0.41))


def make_document(name: str) -> gistmill.Document:
    """Return a report of three parts."""
    parts = (
        f"## Part {part}\n\n"
        + " ".join(f"{words} of week {name} {part}{place}." for place, words in enumerate(SENTENCES))
        for part in range(3)
    )
    return gistmill.Document(f"# Report {name}\n\n" + "\n\n".join(parts), name=f"{name}.md", format="markdown")


def list_ready(engine: Engine, source: str) -> list[object]:
    """Return the ids of a document's waiting steps, in order."""
    of_document = select(Step.id).join(Job, Job.id == Step.job_id).where(Job.source == source)
    waiting = of_document.where(Step.state == StepState.READY).order_by(Step.level, Step.index)
    with Session(engine) as session:
        return list(session.scalars(waiting))


def compact_dump(dump: str) -> str:
    """Return the statements of a dump without comments and settings; lines inside of texts stay as they are."""
    kept: list[str] = []
    is_in_text = False
    for line in dump.splitlines():
        if is_in_text or (line.strip() and not line.startswith(NOISE)):
            kept.append(line)
            is_in_text ^= line.count("'") % 2 == 1
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    main()
