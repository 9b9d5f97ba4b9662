"""docs/tutorial.md, followed by a newcomer who types every command."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.e2e.conftest import GISTMILL, Local
from tests.processes import PATIENCE

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
# A block of commands, and what is printed below it if the page shows that.
BLOCKS = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE.read_text(), re.DOTALL)
# The fixture has done these.
DONE_BEFORE = ("source .venv/bin/activate\n", "gistmill up\n")
# What these print depends on the weights.
VARIES = ("gistmill watch", "gistmill show", "gistmill results")
# Jobs of random weights may end without a whole summary.
INCOMPLETE = 3


def type_in(commands: str, local: Local, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(GISTMILL).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", commands],
        env=local.environment | {"PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def mask_numbers(line: str) -> str:
    return re.sub(r"[\d.,]+", "#", line)


def test_every_command_of_the_tutorial_does_what_the_page_shows(local: Local, tmp_path: Path) -> None:
    assert len(BLOCKS) > 8
    for commands, shown in BLOCKS:
        if commands in DONE_BEFORE:
            continue
        done = type_in(commands, local, tmp_path)
        allowed = {0, INCOMPLETE} if commands.startswith("gistmill watch") else {0}
        assert done.returncode in allowed, (commands, done.stderr)
        if shown and not commands.startswith(VARIES):
            assert mask_numbers(done.stdout.splitlines()[0]) == mask_numbers(shown.splitlines()[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "notes.csv", "notes.html", "notes.parquet"]
