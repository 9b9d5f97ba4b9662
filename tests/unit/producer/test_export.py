from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from markdown_it import MarkdownIt
from pyarrow import parquet

from models.views import JobSummary
from producer.citations import CitedSentence, Passage
from producer.export import (
    WRITERS,
    Summary,
    defuse_formula,
    escape_markdown,
    write_csv,
    write_jsonl,
    write_markdown,
    write_parquet,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JOB = JobSummary(
    job_id=UUID(int=1), batch_id=UUID(int=2), batch="b", source="a.md", title=None, document_sha256="0" * 64,
    state="succeeded", strategy="stuff", style="news", weights="default", priority=3, summary='Two\nlines, "quoted"',
    reason=None, created_at=NOW, started_at=NOW, finished_at=NOW, seconds=0.5, document_characters=100,
    summary_characters=10, compression=0.1, chunks=1, document_tokens=20, steps=2, steps_done=2, steps_failed=0,
    prompt_tokens=30, completion_tokens=5, generation_seconds=0.4, retries=0, cached_steps=0, guards=0,
    metrics={"rouge1": 0.5}, needs_review=False, review=None, consistency=0.5, is_being_checked=False, round=0,
    verified=1, quoted=0, flagged=1, position=0, data=None,
    served_weights="gemma-3-270m, adapter posts, int8 (1a2b3c4d)", weights_fingerprint="1a2b3c4d" * 8,
)  # fmt: skip
HOSTILE = "<img src=x onerror=attacked()>\x1b[2J\n# [link](javascript:attacked())"
SENTENCES = (
    CitedSentence(1, 0, 3, "Two", "verified", 0.75, None, (Passage(5, 60, HOSTILE, ("Part", "*One*")),)),
    CitedSentence(2, 4, 19, 'lines, "quoted"', "flagged", None, "70 is nowhere", ()),
)
ROW = Summary(JOB, SENTENCES)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_a_formula_is_defused(cell: str) -> None:
    assert defuse_formula(cell) == "'" + cell


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert defuse_formula("1 = 1") == "1 = 1"


def test_csv_gives_the_rows_back_with_formulas_defused() -> None:
    file = io.BytesIO()

    assert write_csv([ROW, Summary(replace(JOB, source="=cmd()"))], file) == 2

    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))
    assert [row["source"] for row in rows] == ["a.md", "'=cmd()"]
    assert rows[0]["summary"] == JOB.summary
    assert json.loads(rows[0]["metrics"]) == {"rouge1": 0.5}
    assert [rows[0][name] for name in ("verified", "quoted", "flagged")] == ["1", "0", "1"]


def test_jsonl_gives_an_object_a_line() -> None:
    file = io.BytesIO()

    write_jsonl([ROW, Summary(JOB)], file)

    cited, bare = map(json.loads, file.getvalue().decode().splitlines())
    assert [cited["summary"], bare["summary"]] == [JOB.summary, JOB.summary]
    assert [sentence["kind"] for sentence in cited["sentences"]] == ["verified", "flagged"]
    [citation] = cited["sentences"][0]["citations"]
    assert citation == {"start": 5, "end": 60, "text": HOSTILE, "headings": ["Part", "*One*"], "page": None}
    assert bare["sentences"] == []


def test_parquet_keeps_types() -> None:
    file = io.BytesIO()

    assert write_parquet(iter([ROW] * 3), file) == 3

    rows = parquet.read_table(file).to_pylist()
    assert rows[0]["created_at"] == NOW
    assert rows[0]["compression"] == 0.1
    assert rows[0]["title"] is None
    assert rows[0]["needs_review"] is False
    assert rows[0]["flagged"] == 1
    first, second = rows[0]["sentences"]
    assert first["score"] == 0.75
    assert first["citations"] == [{"start": 5, "end": 60, "text": HOSTILE, "headings": ["Part", "*One*"], "page": None}]
    assert (second["reason"], second["citations"]) == ("70 is nowhere", [])


def test_markdown_has_a_section_a_job() -> None:
    file = io.BytesIO()

    write_markdown([ROW, Summary(replace(JOB, source="b\n# <c>", summary=None, reason="it [broke](x)"))], file)

    text = file.getvalue().decode()
    assert text.startswith("# a.md\n\n- job: 00000000-0000-0000-0000-000000000001\n")
    assert "# b \\# \\<c\\>\n" in text
    assert "- reason: it \\[broke\\](x)\n- sentences: 1 sentence verified, 1 flagged\n- consistency: 0.500\n" in text
    assert "\n\nThere is no summary.\n" in text


def test_markdown_marks_the_sentences_and_lists_what_they_cite_as_plain_text() -> None:
    file = io.BytesIO()

    write_markdown([ROW], file)

    text = file.getvalue().decode()
    assert '\nTwo [1]\nlines, "quoted" [2]\n\n- [1] verified\n  - “' in text
    assert "\\<img src=x onerror=attacked()\\>\N{REPLACEMENT CHARACTER}\\[2J \\# \\[link\\](java" in text
    assert "” (Part \\> \\*One\\*)\n- [2] flagged: 70 is nowhere\n" in text


@pytest.mark.parametrize("line", ["<script>", "[a](b)", "![a](b)", "**a**", "`a`", "# a", "&lt;", "~~a~~", "a\\"])
def test_markup_of_a_document_is_text_in_markdown(line: str) -> None:
    assert MarkdownIt().render(escape_markdown(line)) == f"<p>{html.escape(line)}</p>\n"


@pytest.mark.parametrize("form", WRITERS)
def test_an_export_of_nothing_is_a_valid_file(form: str) -> None:
    def no_jobs() -> Iterator[Summary]:
        yield from ()

    file = io.BytesIO()

    assert WRITERS[form](no_jobs(), file) == 0
    if form == "parquet":
        assert parquet.read_table(file).num_rows == 0
