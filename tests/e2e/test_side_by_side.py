"""A base and an adapter of it on one cluster: each served under its name, and a job says which it wants."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.e2e.conftest import GISTMILL, Local
from tests.pairs import write_pairs
from tests.processes import PATIENCE

TRAINING = ("--held-out", "0", "--steps", "20", "--batch-size", "4", "--accumulation", "1", "--learning-rate", "0.01")


@contextmanager
def serve(local: Local, name: str, log: Path) -> Iterator[None]:
    """Run a worker of the cluster that serves a name, for the length of a block."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [GISTMILL, "worker", "--name", name],
            env={key: value for key, value in local.environment.items() if key != "GISTMILL_WEIGHTS"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        is_served = f"SELECT 1 FROM workers WHERE weights = '{name}' AND stopped_at IS NULL"
        wait_until(lambda: bool(local.query(is_served)) or process.poll() is not None, "the worker serves")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        process.wait(timeout=PATIENCE)


@pytest.mark.slow
def test_a_base_and_its_adapter_answer_the_jobs_that_name_them(
    local: Local, tiny_weights: Path, tmp_path: Path
) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv", 80)
    trained = local.run(
        *("finetune", str(pairs), "--base", str(tiny_weights), "--output", str(tmp_path / "adapter")),
        *("--name", "tuned", *TRAINING),
    )
    assert trained.returncode == 0, trained.stderr
    note = tmp_path / "note.txt"
    note.write_text("The river rose by four metres in two days, and the council closed both bridges. " * 8)
    with serve(local, "tuned", tmp_path / "worker.log"):
        for weights in ("default", "tuned"):
            done = local.run(
                *("submit", str(note), "--weights", weights, "--batch", f"by {weights}", "--wait", "--greedy"),
                *("--strategy", "stuff", "--max-new-tokens", "8", "--no-cache"),
            )
            assert (done.returncode in (0, 3), "no worker serves" in done.stderr) == (True, False), done.stderr
    rows = local.query(
        "SELECT jobs.weights, workers.weights_fingerprint, workers.weights FROM steps JOIN jobs ON jobs.id = job_id "
        "JOIN workers ON workers.id = steps.worker WHERE kind = 'stuff' AND jobs.batch_id IN "
        "(SELECT id FROM batches WHERE name LIKE 'by %') ORDER BY 1"
    )
    assert [(wanted, serving) for wanted, _, serving in rows] == [("default", "default"), ("tuned", "tuned")]
    assert rows[0][1] != rows[1][1]
    # Nobody asked for a style: the adapter gets the one that it was trained under.
    styles = local.query("SELECT weights, style FROM job_summaries WHERE batch LIKE 'by %' ORDER BY 1")
    assert styles == [("default", "technical"), ("tuned", "news")]
