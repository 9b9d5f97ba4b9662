"""The benchmark for GPUs as far as it runs without one: its sections, and how it is cut."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from tests.bench import bench_gpu
from tests.bench.gpu.report import SUMMARY, read_rows

ROW = (
    "from pathlib import Path; from tests.bench.gpu.report import Recorder; "
    "Recorder(Path({folder!r}), {name!r}).add('a')"
)
KILL = "; import os; os.kill(os.getpid(), 9)"
FAIL = "; raise SystemExit(3)"
CHECKOUT = str(Path(__file__).parents[3])


def start_with(folder: Path, endings: dict[str, str]) -> object:
    """Return what starts sections that write one row and then end as they are told."""

    def start(name: str) -> list[str]:
        return [sys.executable, "-c", ROW.format(folder=str(folder), name=name) + endings.get(name, "")]

    return start


def test_sections_that_die_keep_their_rows_and_cost_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", CHECKOUT)
    names = ["card", "correctness", "recovery"]
    start = start_with(tmp_path, {"card": KILL, "correctness": FAIL})
    assert not bench_gpu.run_sections(names, tmp_path, seconds=10_000, start=start)
    summary = json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert all(len(summary[name]) == 1 for name in names)
    assert [row["outcome"] for row in summary["sections"]] == ["exit code -9", "exit code 3", "ended"]


def test_the_summary_is_written_after_every_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", CHECKOUT)
    written = []
    start = start_with(tmp_path, {})

    def look_and_start(name: str) -> list[str]:
        written.append((tmp_path / SUMMARY).exists() and list(json.loads((tmp_path / SUMMARY).read_text())))
        return start(name)

    assert bench_gpu.run_sections(["card", "recovery"], tmp_path, seconds=10_000, start=look_and_start)
    assert written == [False, ["card", "sections"]]


def test_a_section_that_hangs_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    assert bench_gpu.run_process(command, tmp_path, 0.2).startswith("cut after")


def test_a_section_without_time_is_not_begun(tmp_path: Path) -> None:
    assert not bench_gpu.run_sections(["card"], tmp_path, seconds=1, start=lambda _name: ["/no/such/program"])
    assert [row["outcome"] for row in read_rows(tmp_path)] == ["not begun, no time was left"]


def test_a_wrong_row_is_seen(tmp_path: Path) -> None:
    assert bench_gpu.is_right(tmp_path)
    bench_gpu.Recorder(tmp_path, "correctness").add("greedy", is_equal=True)
    assert bench_gpu.is_right(tmp_path)
    bench_gpu.Recorder(tmp_path, "correctness").add("greedy", is_equal=False)
    assert not bench_gpu.is_right(tmp_path)


def test_a_whole_run_fits_eight_minutes() -> None:
    assert bench_gpu.WHOLE <= 480
    assert all(seconds >= bench_gpu.MIN_SECONDS for seconds in bench_gpu.SECTIONS.values())


def test_arguments_have_defaults_and_can_be_given() -> None:
    given = bench_gpu.parse_arguments(["--out", "/r", "--only", "card", "--seconds", "60", "--dry"])
    assert (given.out, given.only, given.seconds, given.dry) == (Path("/r"), ["card"], 60, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_gpu.main(["--out", str(tmp_path)]) == 1
    assert "needs a CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
def test_a_gpu_says_what_a_cpu_says(tmp_path: Path) -> None:
    assert bench_gpu.main(["--out", str(tmp_path), "--only", "correctness"]) == 0
