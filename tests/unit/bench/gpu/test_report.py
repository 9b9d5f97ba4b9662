"""Results that are there as soon as they are measured, however a run ends."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.gpu.report import ROWS, SUMMARY, TABLES, Recorder, read_rows, write_summary


def test_a_row_is_on_disk_when_the_next_is_measured(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new", "speed")
    recorder.add("one", rate=1.5)
    assert [row["name"] for row in read_rows(tmp_path / "new")] == ["one"]
    recorder.add("two", rate=2.5)
    assert [row["rate"] for row in read_rows(tmp_path / "new")] == [1.5, 2.5]


def test_a_line_that_was_cut_costs_that_row_alone(tmp_path: Path) -> None:
    Recorder(tmp_path, "speed").add("one")
    with (tmp_path / ROWS).open("a", encoding="utf-8") as file:
        file.write('{"section": "speed", "name": "tw')
    assert [row["name"] for row in read_rows(tmp_path)] == ["one"]


def test_a_row_after_one_that_was_cut_is_read(tmp_path: Path) -> None:
    (tmp_path / ROWS).write_text('{"section": "speed", "na', encoding="utf-8")
    Recorder(tmp_path, "memory").add("one")
    assert [row["section"] for row in read_rows(tmp_path)] == ["memory"]


def test_what_fails_is_a_row_and_the_next_measurement_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "speed")
    with recorder.catch("one"):
        raise ValueError("no such kernel\nand a long trace")
    with recorder.catch("two"):
        recorder.add("two", rate=1.0)
    first, second = read_rows(tmp_path)
    assert first["error"] == "ValueError: no such kernel"
    assert second["rate"] == 1.0


def test_the_summary_holds_all_rows_by_section_and_tables_of_them(tmp_path: Path) -> None:
    Recorder(tmp_path, "speed").add("one", rate=12_345.6)
    write_summary(tmp_path)
    Recorder(tmp_path, "memory").add("two | three", error="a\nb")
    write_summary(tmp_path)
    summary = json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert {name: len(rows) for name, rows in summary.items()} == {"speed": 1, "memory": 1}
    tables = (tmp_path / TABLES).read_text(encoding="utf-8")
    assert "| one | 12,346 |" in tables
    assert "two \\| three | a b |" in tables


def test_nothing_measured_is_an_empty_summary(tmp_path: Path) -> None:
    write_summary(tmp_path)
    assert json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8")) == {}
