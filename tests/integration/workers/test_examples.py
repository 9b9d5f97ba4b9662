"""The worked examples in the help of the commands about weights are run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from sqlalchemy.orm import Session

from gistmill.cli.main import make_group, weights
from models.listing import JobFilter, list_jobs
from tests.claims import write_claims
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.pairs import write_pairs

# What is given in addition, so that a run takes seconds.
SHORT = "--steps 1 --scored 1 --max-new-tokens 4"
SHORT_VERIFIER = "--steps 1 --held-out 4 --source-tokens 64"
CONTEXT = click.Context(weights)


def list_examples(command: click.Command | None) -> list[str]:
    assert command is not None
    return re.findall(r"^ *(gistmill .*)$", (command.help or "").partition("Examples:")[2], re.MULTILINE)


@pytest.fixture
def run_example(
    gistmill: Gistmill, driver: Driver, base_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Runs an example in a folder, and on a cluster, that has what the examples name."""
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(base_weights))
    write_pairs(tmp_path / "pairs.csv", 104)
    write_claims(tmp_path / "claims.jsonl", 24)
    rows = [json.dumps({"text": f"The river rose {row} m.", "summary": f"It rose {row} m."}) for row in range(104)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))
    for number in range(6):
        (tmp_path / f"{number}.md").write_text(f"# Report {number}\n\nSomething is said here. " * 20)
    gistmill("submit", *(f"{number}.md" for number in range(6)), "--batch", "nightly")
    with Session(driver.engine) as session:
        jobs = [job.job_id for job in list_jobs(session, JobFilter())]
    for number, job in enumerate(jobs):
        driver.run(job, words=f"Something is said in {number}.")
    gistmill("approve", "nightly")

    def run(example: str, more: str = "") -> None:
        line = re.sub(r"/weights/[\w-]+", str(base_weights), example)
        done = gistmill(*shlex.split(f"{line} {more}")[1:])
        assert (done.code, done.err if done.code else "") == (0, ""), example

    return run


def test_the_examples_of_finetune_work(run_example: Callable[..., None]) -> None:
    examples = list_examples(make_group().get_command(CONTEXT, "finetune"))
    assert examples
    for example in examples:
        run_example(example, SHORT_VERIFIER if "--task verify" in example else SHORT)


def test_the_examples_of_weights_work(run_example: Callable[..., None]) -> None:
    run_example("gistmill finetune pairs.csv --output adapters/reports", SHORT)
    # In the order in which each finds what the one before has made.
    for name in ("add", "list", "show", "merge", "remove"):
        examples = list_examples(weights.get_command(CONTEXT, name))
        assert examples
        for example in examples:
            run_example(example)
