"""Exports jobs with their summaries to CSV, JSONL, Parquet and Markdown, streamed from the database."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from typing import BinaryIO, Protocol, TextIO

from models.base import Json
from models.schema_fields import SchemaColumn
from models.views import JobSummary
from producer.citations import CitedSentence, Passage, mark_summary, shorten_passage
from producer.plain import dump_json
from producer.summaries import Summary
from producer.wording import EXPORT_FORMATS, clean_line, describe_verdicts

# The fields of structured summaries have columns of their own.
COLUMNS = tuple(column.name for column in fields(JobSummary) if column.name != "data")
# Spreadsheets evaluate cells with these beginnings as formulas; the last four are the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Rows of a Parquet row group: a few megabytes of summaries.
GROUP_ROWS = 2_000
# Punctuation that Markdown may take for markup or HTML; a backslash in front makes it text.
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


class Writer(Protocol):
    """Writes jobs to a file, with further columns for the fields of structured summaries."""

    def __call__(self, jobs: Iterable[Summary], file: BinaryIO, columns: Sequence[SchemaColumn] = ()) -> int:
        """Write jobs and return their number."""
        ...


def write_csv(jobs: Iterable[Summary], file: BinaryIO, columns: Sequence[SchemaColumn] = ()) -> int:
    """Write a header and a row per job, with formulas quoted; return the number of jobs."""
    with _open_text(file) as text:
        writer = csv.writer(text)
        writer.writerow(map(_format_cell, (*COLUMNS, *(column.name for column in columns))))
        return sum(1 for row in jobs if writer.writerow(map(_format_cell, flatten(row, columns).values())))


def write_jsonl(jobs: Iterable[Summary], file: BinaryIO, columns: Sequence[SchemaColumn] = ()) -> int:
    """Write a JSON object per line, with data as an object within it; return the number of jobs."""
    with _open_text(file) as text:
        lines = (dump_json(asdict(row.job) | {"data": row.data, "sentences": row.sentences}) for row in jobs)
        return sum(1 for line in lines if text.write(line + "\n"))


def write_markdown(jobs: Iterable[Summary], file: BinaryIO, columns: Sequence[SchemaColumn] = ()) -> int:
    """Write a section per job; return the number of jobs."""
    with _open_text(file) as text:
        return sum(1 for row in jobs if text.write(_describe_job(row.job, row.sentences)))


def write_parquet(jobs: Iterable[Summary], file: BinaryIO, columns: Sequence[SchemaColumn] = ()) -> int:
    """Write a row per job in row groups; return the number of jobs."""
    import pyarrow
    from pyarrow import parquet

    schema = _make_schema(columns)
    rows, count = (flatten(row, columns) | {"sentences": list(map(asdict, row.sentences))} for row in jobs), 0
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


WRITERS: dict[str, Writer] = dict(
    zip(EXPORT_FORMATS, (write_csv, write_jsonl, write_parquet, write_markdown), strict=True)
)


def flatten(summary: Summary, columns: Sequence[SchemaColumn] = ()) -> Json:
    """Return a job as scalar values by column: ids as text, metrics as JSON, and the fields of its data.

    Args:
        summary: the job with its summary.
        columns: columns of the fields.
    """
    job = summary.job
    row = {name: getattr(job, name) for name in COLUMNS}
    row |= {name: str(row[name]) for name in ("job_id", "batch_id")} | {"metrics": json.dumps(job.metrics)}
    return row | {column.name: column.read(job.data) for column in columns}


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


def escape_markdown(line: str) -> str:
    """Return a line of a document as Markdown that shows it and is nothing else."""
    return MARKUP.sub(r"\\\1", clean_line(line))


def _describe_job(job: JobSummary, sentences: Sequence[CitedSentence]) -> str:
    facts = {
        "job": str(job.job_id),
        "batch": job.batch,
        "state": job.state,
        "how": f"{job.strategy}, {job.style}, weights {job.weights}",
        "reason": job.reason,
        "sentences": describe_verdicts(job.verified, job.quoted, job.flagged),
        "consistency": None if job.consistency is None else f"{job.consistency:.3f}",
        "needs review": job.review,
    }
    lines = [f"- {name}: {' '.join(value.split())}" for name, value in facts.items() if value]
    title = " ".join(job.source.split())
    summary = mark_summary(job.summary, sentences) if job.summary else "There is no summary."
    cited = list(_describe_citations(sentences))
    return "\n".join([f"# {title}", "", *lines, "", summary, "", *cited, *([""] if cited else []), ""])


def _describe_citations(sentences: Iterable[CitedSentence]) -> Iterator[str]:
    """Yield an item per marked sentence: its number, its verdict, and a line per passage."""
    for sentence in sentences:
        if sentence.number is not None:
            yield f"- [{sentence.number}] {escape_markdown(sentence.verdict)}"
            yield from (f"  - {_describe_passage(passage)}" for passage in sentence.citations)


def _describe_passage(passage: Passage) -> str:
    places = f" ({escape_markdown(' > '.join(passage.places))})" if passage.places else ""
    return f"“{escape_markdown(shorten_passage(passage.text))}”{places}"


def _make_schema(columns: Sequence[SchemaColumn]) -> object:
    """Return the columns of a job, its data, and its sentences with their citations as a list of structures."""
    import pyarrow

    text, whole = pyarrow.string(), pyarrow.int64()
    span = {"start": whole, "end": whole, "text": text}
    citation = pyarrow.struct(span | {"headings": pyarrow.list_(text), "page": whole})
    verdict = {"kind": text, "score": pyarrow.float64(), "reason": text, "citations": pyarrow.list_(citation)}
    sentence = pyarrow.struct({"number": whole} | span | verdict)

    moment = pyarrow.timestamp("us", tz="UTC")
    kinds = {"bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64(), "datetime": moment}
    # Annotations are strings here: "int", "float | None", ...
    of_job = [
        (field.name, kinds.get(str(field.type).partition(" ")[0], text))
        for field in fields(JobSummary)
        if field.name in COLUMNS
    ]
    values = {"boolean": pyarrow.bool_(), "integer": pyarrow.int64(), "number": pyarrow.float64()}
    of_data = [(column.name, values.get(column.kind, text)) for column in columns]
    return pyarrow.schema([*of_job, *of_data, ("sentences", pyarrow.list_(sentence))])
