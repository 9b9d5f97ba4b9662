from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pyarrow import parquet

from models.views import JobSummary
from producer.export import WRITERS, defuse_formula, write_csv, write_jsonl, write_markdown, write_parquet

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JOB = JobSummary(
    job_id=UUID(int=1), batch_id=UUID(int=2), batch="b", source="a.md", title=None, document_sha256="0" * 64,
    state="succeeded", strategy="stuff", style="news", weights="default", priority=3, summary='Two\nlines, "quoted"',
    reason=None, created_at=NOW, started_at=NOW, finished_at=NOW, seconds=0.5, document_characters=100,
    summary_characters=10, compression=0.1, chunks=1, document_tokens=20, steps=2, steps_done=2, steps_failed=0,
    prompt_tokens=30, completion_tokens=5, generation_seconds=0.4, retries=0, cached_steps=0, guards=0,
    metrics={"rouge1": 0.5}, needs_review=False, review=None, consistency=0.5, is_being_checked=False, round=0,
)  # fmt: skip


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_a_formula_is_defused(cell: str) -> None:
    assert defuse_formula(cell) == "'" + cell


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert defuse_formula("1 = 1") == "1 = 1"


def test_csv_gives_the_rows_back_with_formulas_defused() -> None:
    file = io.BytesIO()

    assert write_csv([JOB, replace(JOB, source="=cmd()")], file) == 2

    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))
    assert [row["source"] for row in rows] == ["a.md", "'=cmd()"]
    assert rows[0]["summary"] == JOB.summary
    assert json.loads(rows[0]["metrics"]) == {"rouge1": 0.5}


def test_jsonl_gives_an_object_a_line() -> None:
    file = io.BytesIO()

    write_jsonl([JOB, JOB], file)

    lines = file.getvalue().decode().splitlines()
    assert [json.loads(line)["summary"] for line in lines] == [JOB.summary, JOB.summary]


def test_parquet_keeps_types() -> None:
    file = io.BytesIO()

    assert write_parquet(iter([JOB] * 3), file) == 3

    rows = parquet.read_table(file).to_pylist()
    assert rows[0]["created_at"] == NOW
    assert rows[0]["compression"] == 0.1
    assert rows[0]["title"] is None
    assert rows[0]["needs_review"] is False


def test_markdown_has_a_section_a_job() -> None:
    file = io.BytesIO()

    write_markdown([JOB, replace(JOB, source="b\n# c", summary=None, reason="it broke")], file)

    text = file.getvalue().decode()
    assert text.startswith("# a.md\n\n- job: 00000000-0000-0000-0000-000000000001\n")
    assert "# b # c\n" in text
    assert "- reason: it broke\n- consistency: 0.500\n\nThere is no summary.\n" in text


@pytest.mark.parametrize("form", WRITERS)
def test_an_export_of_nothing_is_a_valid_file(form: str) -> None:
    def no_jobs() -> Iterator[JobSummary]:
        yield from ()

    file = io.BytesIO()

    assert WRITERS[form](no_jobs(), file) == 0
    if form == "parquet":
        assert parquet.read_table(file).num_rows == 0
