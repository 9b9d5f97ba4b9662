"""The programs of docs/python.md and of the README, each run as its reader would run it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest

import gistmill
from tests.conftest import Cluster, wait_until
from tests.processes import PATIENCE, run_server

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
README = PAGE.parents[1] / "README.md"
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.read_text().split("\n## ")}
TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday. "

pytestmark = pytest.mark.usefixtures("settings_of_cluster")


def read_program(heading: str) -> str:
    [program] = re.findall(r"^```python\n(.*?)^```", SECTIONS[heading], re.MULTILINE | re.DOTALL)
    return program


def run_cell(code: str, names: dict[str, Any]) -> Any:
    """Run a cell as Jupyter does: in a running event loop, with the value of its last expression as its result."""
    tree = ast.parse(code)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], last.value), last)

    async def run() -> None:
        cell = eval(
            compile(ast.fix_missing_locations(tree), "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names
        )
        if inspect.iscoroutine(cell):
            await cell

    asyncio.run(run())
    return names["_"]


def test_the_script_makes_a_dataframe_of_summaries_from_a_list_of_texts_in_six_lines(
    worker: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = read_program("A script")
    (tmp_path / "script.py").write_text(program)

    runpy.run_path(str(tmp_path / "script.py"), run_name="__main__")

    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["source", "state", "summary"]
    assert ("document 1" in first, "document 2" in second) == (True, True)
    assert sum(bool(line.strip()) for line in program.splitlines()) <= 6


def test_the_program_of_the_readme_prints_a_summary_of_each_file(
    worker: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "reports").mkdir()
    for name in ("a.md", "b.md"):
        (tmp_path / "reports" / name).write_text(f"# {name}\n\n{TEXT}")

    exec(program, {})

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[1:4] == ".md"] == ["a.md", "b.md"]


def test_the_notebook_cell_joins_summaries_to_the_rows_of_its_dataframe_in_a_running_loop(worker: None) -> None:
    articles = pandas.DataFrame({"id": [10, 9], "body": [TEXT, TEXT * 2], "author": ["a", "b"]})
    articles.to_csv("articles.csv", index=False)
    names: dict[str, Any] = {}

    joined = run_cell(read_program("A notebook"), names)

    names["client"].close()
    assert joined["id"].tolist() == ["10", "9"]
    assert joined["author"].tolist() == ["a", "b"]
    assert joined["summary"].str.len().gt(0).all()


def test_the_program_with_an_event_loop_prints_its_summaries(
    worker: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop.py").write_text(read_program("An event loop"))

    runpy.run_path(str(tmp_path / "loop.py"), run_name="__main__")

    [summary] = ast.literal_eval(capsys.readouterr().out)
    assert "river" in summary or "bridges" in summary


def test_the_function_of_the_airflow_task_runs_with_stand_ins_for_the_decorators_of_airflow_which_is_not_installed(
    worker: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sdk = ModuleType("airflow.sdk")
    sdk.task = lambda **_: lambda function: function  # type: ignore[attr-defined]
    sdk.dag = lambda **_: lambda function: lambda: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    names: dict[str, Any] = {}
    exec(read_program("An Airflow task"), names)
    summarize: Callable[[str, str], str] = names["summarize"]
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "a.md").write_text(TEXT)

    assert [summarize(str(folder), "2026-11-29") for _ in range(2)] == ["articles-2026-11-29"] * 2
    (folder / "empty.md").touch()
    with pytest.raises(gistmill.SubmissionError, match="1 source cannot be read"):
        summarize(str(folder), "2026-11-30")


def test_the_celery_task_submits_from_a_forked_worker_of_its_own_app(
    worker: None, cluster: Cluster, tmp_path: Path
) -> None:
    program = read_program("A Celery task").replace("redis://127.0.0.1:6379/1", cluster.broker_url)
    (tmp_path / "shop.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    send = "import shop; shop.summarize_reviews.delay('kettle', [{'id': 'r1', 'text': '" + TEXT + "'}])"
    command = ["env", f"PYTHONPATH={environment['PYTHONPATH']}", sys.executable, "-m", "celery", "-A", "shop", "worker"]
    with run_server([*command, "--concurrency=2"], tmp_path / "celery.log"):
        subprocess.run([sys.executable, "-c", send], env=environment, timeout=PATIENCE, check=True)
        with gistmill.connect() as client:
            batch = wait_for_batch(client, "reviews-kettle")
            [summary] = batch.wait(timeout=PATIENCE).summaries()
    assert (summary.source, summary.state, summary.job.priority) == ("r1", "succeeded", 0)


def wait_for_batch(client: gistmill.Client, name: str) -> gistmill.Batch:
    wait_until(lambda: any(progress.batch == name for progress in client.batches()), "the task has submitted")
    return client.batch(name)
