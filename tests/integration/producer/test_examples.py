"""Every worked example of the help and of the README is run, and those that start servers for good are parsed."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import click
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gistmill.cli.main import COMMANDS, make_group
from models.job import Job, JobState
from models.listing import JobFilter, list_jobs
from models.lookup import find_target
from models.settings import Settings
from models.step import Step, StepKind, StepState
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.integration.deploy.commands import check_gistmill

GROUP = make_group()
# They end by themselves; what the others start is run by tests/e2e and tests/integration/deploy.
BRIEF = ("plan", "migrate", "rescue", "evaluate", "compare")
CLUSTER = [name for name in GROUP.list_commands(click.Context(GROUP)) if name not in COMMANDS]
README = (Path(__file__).parents[3] / "README.md").read_text()
# What stands for a name in the README, and what the "folder" below has.
README_NAMES = {"JOB": "3f9a1c2e", "BATCH": "nightly", "FILE": "notes.md"}
# The job that the examples call by the beginning of its id.
EXAMPLE_JOB = "3f9a1c2e"
# The document that they call by the beginning of its hash.
EXAMPLE_DOCUMENT = "9c1185a5c5e9fc54"
# Commands of the work that end only when they are stopped.
ENDLESS = ("watch-folder",)


def list_examples(name: str) -> list[str]:
    command = GROUP.get_command(click.Context(GROUP), name)
    assert command is not None
    return find_commands((command.help or "").partition("Examples:")[2])


def split_example(example: str) -> tuple[list[str], str]:
    """Return the variables that a line sets, and the arguments that it gives to gistmill."""
    variables, line = re.fullmatch(r"((?:GISTMILL_\w+=\S+ )*)gistmill (.*?)(?: +#.*)?", example).groups()  # type: ignore[union-attr]
    return variables.split(), line


def find_commands(text: str) -> list[str]:
    """Return the lines that call gistmill, with the variables that stand before it."""
    return re.findall(r"^ *((?:GISTMILL_\w+=\S+ )*gistmill .*)$", text, re.MULTILINE)


@pytest.fixture
def folder(gistmill: Gistmill, driver: Driver, cluster: Cluster, tmp_path: Path) -> str:
    """The files and the batch that the examples speak of; returns the id of a finished job."""
    text = "A sentence that says something about the subject. " * 10
    for name in ("report.html", "notes.md", "paper.md", "articles/one.md", "articles/two.md", "reports/may.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"---\nauthor: Ann\n---\n# {name}\n\n{text}")
    rows = "".join(f'https://example.org/{row},"{text} {row}"\n' for row in range(4))
    (tmp_path / "posts.csv").write_text(f"link,writeup\n{rows}")
    (tmp_path / "texts.csv").write_text(f"id,text\n{rows}")
    gistmill("submit", "notes.md", "paper.md", "--batch", "nightly")
    with Session(cluster.engine) as session:
        batch = find_target(session, "nightly").batch_id
        job = next(list_jobs(session, JobFilter(batch_id=batch))).job_id
    driver.run(job)
    gistmill("submit", "notes.md", "--batch", "weekly", "--style", "news")
    with Session(cluster.engine) as session:
        weekly = find_target(session, "weekly").batch_id
        driver.run(next(list_jobs(session, JobFilter(batch_id=weekly))).job_id, strategy="refine")
    (tmp_path / "good.csv").write_text("name,summary\nnotes.md,A summary of the notes.\n")
    return str(job)


@pytest.fixture
def worker(driver: Driver) -> Iterator[None]:
    """Ends whatever is submitted, and its checks, for the examples that wait."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.05):
            with Session(driver.engine) as session:
                queued = session.scalars(select(Job.id).where(Job.state == JobState.QUEUED)).all()
                is_unchecked = (Step.kind == StepKind.EVALUATE) & (Step.state == StepState.READY)
                unchecked = session.scalars(select(Step.job_id).where(is_unchecked)).all()
            for job in queued:
                driver.run(job, strategy="stuff", chunks=1)
            for job in unchecked:
                driver.finish_check(job)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopped.set()
    thread.join()


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ENDLESS])
def test_the_examples_of_a_command_work(
    name: str, gistmill: Gistmill, cluster: Cluster, folder: str, request: pytest.FixtureRequest
) -> None:
    if name in {"submit", "watch", "digest"}:
        request.getfixturevalue("worker")

    examples = list_examples(name)
    with Session(cluster.engine) as session:
        document = session.get_one(Job, UUID(folder)).document_sha256

    assert examples
    for example in examples:
        line = example.partition(" > ")[0].replace(EXAMPLE_JOB, folder[:8]).replace(EXAMPLE_DOCUMENT, document)
        done = gistmill(*shlex.split(line)[1:])
        assert (done.code, done.err if done.code else "") == (0, ""), example


@pytest.mark.parametrize("name", BRIEF)
def test_the_examples_of_a_command_that_ends_work(
    name: str, gistmill: Gistmill, folder: str, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tiny_weights))

    for example in list_examples(name):
        done = gistmill(*shlex.split(split_example(example)[1]))
        assert (done.code, done.err) == (0, ""), example


@pytest.mark.parametrize("name", [*(name for name in CLUSTER if name not in BRIEF), *ENDLESS])
def test_the_examples_of_a_command_that_serves_are_understood(name: str) -> None:
    examples = list_examples(name)

    assert examples
    for example in examples:
        variables, line = split_example(example)
        check_gistmill(shlex.split(line))
        fields = {variable.partition("=")[0].removeprefix("GISTMILL_").lower() for variable in variables}
        assert fields <= set(Settings.model_fields), example


def test_the_examples_of_the_readme_work(
    gistmill: Gistmill, folder: str, worker: None, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tiny_weights))
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    inline = [span for span in re.findall(r"`(gistmill [^`]+)`", README) if " " in span.removeprefix("gistmill ")]
    examples = [*find_commands(blocks), *inline]
    assert len(examples) > 7
    for example in examples:
        _, line = split_example(example)
        if line.split()[0] in CLUSTER and line.split()[0] not in BRIEF:
            check_gistmill(shlex.split(line))
            continue
        for there, here in (README_NAMES | {"JOB": folder[:8]}).items():
            line = re.sub(rf"\b{there}\b", here, line)
        done = gistmill(*shlex.split(line))
        assert (done.code, done.err if done.code else "") == (0, ""), example
