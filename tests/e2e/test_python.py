"""A program that is given no address finds the cluster of ``gistmill up``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Local
from tests.processes import PATIENCE

PROGRAM = """
import sys
import gistmill

with gistmill.connect() as client:
    batch = client.submit(sys.argv[1], strategy="stuff", max_new_tokens=8, grounding="off", name="from a program")
    frame = batch.wait(timeout=float(sys.argv[2])).summaries().to_pandas()
    print(batch.new, *frame["source"])
    print(*(plan.strategy for plan in client.plan(sys.argv[1], strategy="stuff")))
"""


def test_a_program_submits_and_reads_from_the_running_cluster(local: Local, tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"{name} says that the river rose by four metres in two days. " * 5)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(PATIENCE)],
        env=local.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "2 a.txt b.txt\nstuff stuff\n"), done.stderr
    assert local.query("SELECT name FROM batches WHERE name = 'from a program'") == [("from a program",)]
