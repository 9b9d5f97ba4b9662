"""Every worked example in the help of the producer's commands is run."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job, JobState
from models.reading import JobFilter, find_target, list_jobs
from producer.cli.commands import make_producer_group
from tests.conftest import Cluster
from tests.integration.producer.conftest import Gistmill
from tests.integration.producer.driver import Driver

GROUP = make_producer_group()
COMMANDS = GROUP.list_commands(click.Context(GROUP))
# The job that the examples call by the beginning of its id.
EXAMPLE_JOB = "3f9a1c2e"


def list_examples(name: str) -> list[str]:
    command = GROUP.get_command(click.Context(GROUP), name)
    assert command is not None
    return re.findall(r"^ *(gistmill .*)$", (command.help or "").partition("Examples:")[2], re.MULTILINE)


@pytest.fixture
def folder(gistmill: Gistmill, driver: Driver, cluster: Cluster, tmp_path: Path) -> str:
    """The files and the batch that the examples speak of; returns the id of a finished job."""
    text = "A sentence that says something about the subject. " * 10
    for name in ("report.html", "notes.md", "paper.md", "articles/one.md", "articles/two.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n\n{text}")
    rows = "".join(f'https://example.org/{row},"{text} {row}"\n' for row in range(4))
    (tmp_path / "posts.csv").write_text(f"link,writeup\n{rows}")
    gistmill("submit", "notes.md", "paper.md", "--batch", "nightly")
    with Session(cluster.engine) as session:
        batch = find_target(session, "nightly").batch_id
        job = next(list_jobs(session, JobFilter(batch_id=batch))).job_id
    driver.run(job)
    return str(job)


@pytest.fixture
def worker(driver: Driver) -> Iterator[None]:
    """Ends whatever is submitted, for the examples that wait."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.05):
            with Session(driver.engine) as session:
                queued = session.scalars(select(Job.id).where(Job.state == JobState.QUEUED)).all()
            for job in queued:
                driver.run(job, strategy="stuff", chunks=1)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopped.set()
    thread.join()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_work(
    name: str, gistmill: Gistmill, folder: str, request: pytest.FixtureRequest
) -> None:
    if name in {"submit", "watch"}:
        request.getfixturevalue("worker")

    examples = list_examples(name)

    assert examples
    for example in examples:
        line = example.partition(" > ")[0].replace(EXAMPLE_JOB, folder[:8])
        done = gistmill(*shlex.split(line)[1:])
        assert (done.code, done.err if done.code else "") == (0, ""), example
