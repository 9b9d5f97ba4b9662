"""The command line on real servers: run in this process, with what it printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy.orm import Session

from gistmill.cli.edge import run
from gistmill.cli.main import make_group
from models.listing import JobFilter, list_jobs
from models.views import JobSummary
from tests.browser import chromium  # noqa: F401 - a fixture
from tests.conftest import Cluster
from tests.debian_documents import debian_documents  # noqa: F401 - a fixture
from tests.hand_driven import Driver
from tests.shared_data import shared_data  # noqa: F401 - a fixture


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


Gistmill = Callable[..., Done]


@pytest.fixture
def gistmill(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Gistmill:
    """Run a command line against this test's own servers, in an empty folder."""
    monkeypatch.setenv("GISTMILL_DATABASE_URL", cluster.database_url)
    monkeypatch.setenv("GISTMILL_BROKER_URL", cluster.broker_url)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        capsys.readouterr()
        code = run(make_group(), name="gistmill", arguments=arguments)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return call


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[Driver]:
    """Ends jobs as a worker would."""
    # Its log is not what the commands print that run beside it.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield Driver(cluster.engine)
    structlog.reset_defaults()


@pytest.fixture
def submitted(gistmill: Gistmill, cluster: Cluster, tmp_path: Path) -> list[JobSummary]:
    """Four jobs in batch "pile", in the order of their names: a.md, b.md, c.md, d.md."""
    for name in "abcd":
        (tmp_path / f"{name}.md").write_text(f"# Title {name}\n\n" + f"Document {name} says something. " * 30)
    assert gistmill("submit", "a.md", "b.md", "c.md", "d.md", "--batch", "pile").code == 0
    return read_jobs(cluster)


def read_jobs(cluster: Cluster, *, in_order: bool = False) -> list[JobSummary]:
    """Return every job, by its source or in the order in which jobs are listed."""
    with Session(cluster.engine) as session:
        jobs = list(list_jobs(session, JobFilter()))
    return jobs if in_order else sorted(jobs, key=lambda job: job.source)


def read_job(cluster: Cluster, job_id: UUID) -> JobSummary:
    """Return one job."""
    with Session(cluster.engine) as session:
        return next(list_jobs(session, JobFilter(job_id=job_id)))
