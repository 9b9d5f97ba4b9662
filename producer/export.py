"""Exports jobs with their summaries to CSV, JSONL, Parquet and Markdown, streamed from the database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from typing import BinaryIO, TextIO

from models.base import Json
from models.views import JobSummary
from producer.plain import dump_json
from producer.wording import EXPORT_FORMATS

COLUMNS = tuple(column.name for column in fields(JobSummary))
# Spreadsheets evaluate cells with these beginnings as formulas; the last four are the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Rows of a Parquet row group: a few megabytes of summaries.
GROUP_ROWS = 2_000

Writer = Callable[[Iterable[JobSummary], BinaryIO], int]


def write_csv(jobs: Iterable[JobSummary], file: BinaryIO) -> int:
    """Write a header and a row per job, with formulas quoted; return the number of jobs."""
    with _open_text(file) as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        return sum(1 for job in jobs if writer.writerow(map(_format_cell, flatten(job).values())))


def write_jsonl(jobs: Iterable[JobSummary], file: BinaryIO) -> int:
    """Write a JSON object per line; return the number of jobs."""
    with _open_text(file) as text:
        return sum(1 for job in jobs if text.write(dump_json(job) + "\n"))


def write_markdown(jobs: Iterable[JobSummary], file: BinaryIO) -> int:
    """Write a section per job; return the number of jobs."""
    with _open_text(file) as text:
        return sum(1 for job in jobs if text.write(_describe_job(job)))


def write_parquet(jobs: Iterable[JobSummary], file: BinaryIO) -> int:
    """Write a row per job in row groups; return the number of jobs."""
    import pyarrow
    from pyarrow import parquet

    schema = _make_schema()
    rows, count = (flatten(job) for job in jobs), 0
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


WRITERS: dict[str, Writer] = dict(
    zip(EXPORT_FORMATS, (write_csv, write_jsonl, write_parquet, write_markdown), strict=True)
)


def flatten(job: JobSummary) -> Json:
    """Return a job as scalar values by column: ids as text, metrics as JSON."""
    row = asdict(job)
    return row | {name: str(row[name]) for name in ("job_id", "batch_id")} | {"metrics": json.dumps(job.metrics)}


def defuse_formula(cell: str) -> str:
    """Return a cell that spreadsheets show as text: a formula gets a leading apostrophe."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _format_cell(value: object) -> object:
    return defuse_formula(value) if isinstance(value, str) else value


@contextmanager
def _open_text(file: BinaryIO) -> Iterator[TextIO]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        yield text
    finally:
        # The file is the caller's to close.
        text.detach()


def _describe_job(job: JobSummary) -> str:
    facts = {
        "job": str(job.job_id),
        "batch": job.batch,
        "state": job.state,
        "how": f"{job.strategy}, {job.style}, weights {job.weights}",
        "reason": job.reason,
        "consistency": None if job.consistency is None else f"{job.consistency:.3f}",
        "needs review": job.review,
    }
    lines = [f"- {name}: {' '.join(value.split())}" for name, value in facts.items() if value]
    title = " ".join(job.source.split())
    return "\n".join([f"# {title}", "", *lines, "", job.summary or "There is no summary.", "", ""])


def _make_schema() -> object:
    import pyarrow

    moment = pyarrow.timestamp("us", tz="UTC")
    kinds = {"bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64(), "datetime": moment}
    # Annotations are strings here: "int", "float | None", ...
    return pyarrow.schema(
        [(field.name, kinds.get(str(field.type).partition(" ")[0], pyarrow.string())) for field in fields(JobSummary)]
    )
