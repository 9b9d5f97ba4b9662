"""Exports jobs with their summaries to CSV, JSONL, Parquet and Markdown, streamed from the database."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from typing import BinaryIO, TextIO

from models.base import Json
from models.schema_fields import SchemaColumn
from models.views import JobSummary
from producer.citations import CitedSentence, Passage, mark_summary, shorten_passage
from producer.export_columns import DATA, JOB_COLUMNS, SENTENCES, choose_values
from producer.plain import dump_json
from producer.sources.page_starts import PAGE_STARTS
from producer.sources.source import NOTES
from producer.summaries import Summary
from producer.wording import EXPORT_FORMATS, clean_line, describe_verdicts, describe_weights

# Spreadsheets evaluate cells with these beginnings as formulas; the last four are the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Rows of a Parquet row group: a few megabytes of summaries.
GROUP_ROWS = 2_000
# Punctuation that Markdown may take for markup or HTML; a backslash in front makes it text.
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


# Names of the columns to write; None for the usual ones.
Chosen = Sequence[str] | None
# Columns of the fields of structured summaries.
Fields = Sequence[SchemaColumn]
Writer = Callable[[Iterable[Summary], BinaryIO, Chosen, Fields], int]


def write_csv(jobs: Iterable[Summary], file: BinaryIO, columns: Chosen = None, data: Fields = ()) -> int:
    """Write a header and a row per job, with formulas quoted; return the number of jobs."""
    names = columns or (*JOB_COLUMNS, *(column.name for column in data))
    with _open_text(file) as text:
        writer = csv.writer(text)
        writer.writerow(map(_format_cell, names))
        rows = (choose_values(row, names, data).values() for row in jobs)
        return sum(1 for row in rows if writer.writerow(map(_format_cell, row)))


def write_jsonl(jobs: Iterable[Summary], file: BinaryIO, columns: Chosen = None, data: Fields = ()) -> int:
    """Write a JSON object per line, with the data of a structured summary within it; return the number of jobs."""
    with _open_text(file) as text:
        rows = (_list_values(row) if columns is None else choose_values(row, columns, data) for row in jobs)
        lines = map(dump_json, rows)
        return sum(1 for line in lines if text.write(line + "\n"))


def _list_values(row: Summary) -> Json:
    details = {name: value for name, value in row.details.items() if name not in (NOTES, PAGE_STARTS)}
    beside = {DATA: row.data, SENTENCES: row.sentences, NOTES: row.details.get(NOTES), "details": details}
    return asdict(row.job) | beside


def write_markdown(jobs: Iterable[Summary], file: BinaryIO, columns: Chosen = None, data: Fields = ()) -> int:
    """Write a section per job; return the number of jobs."""
    with _open_text(file) as text:
        return sum(1 for row in jobs if text.write(_describe_job(row, columns, data)))


def write_parquet(jobs: Iterable[Summary], file: BinaryIO, columns: Chosen = None, data: Fields = ()) -> int:
    """Write a row per job in row groups; return the number of jobs."""
    import pyarrow
    from pyarrow import parquet

    names = columns or (*JOB_COLUMNS, *(column.name for column in data), SENTENCES)
    schema = _make_schema(names, data)
    rows, count = (choose_values(row, names, data) for row in jobs), 0
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


WRITERS: dict[str, Writer] = dict(
    zip(EXPORT_FORMATS, (write_csv, write_jsonl, write_parquet, write_markdown), strict=True)
)


def defuse_formula(cell: str) -> str:
    """Return a cell that spreadsheets show as text: a formula gets a leading apostrophe."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _format_cell(value: object) -> object:
    if isinstance(value, list):
        return dump_json(value)
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


def _describe_job(row: Summary, columns: Chosen, data: Fields) -> str:
    job, sentences = row.job, row.sentences
    facts = _list_facts(job) if columns is None else _choose_facts(row, columns, data)
    lines = [f"- {clean_line(name)}: {escape_markdown(value)}" for name, value in facts.items() if value]
    summary = mark_summary(job.summary, sentences) if job.summary else "There is no summary."
    cited = list(_describe_citations(sentences))
    return "\n".join(
        [f"# {escape_markdown(job.source)}", "", *lines, "", summary, "", *cited, *([""] if cited else []), ""]
    )


def _choose_facts(row: Summary, columns: Sequence[str], data: Fields) -> dict[str, str]:
    """Return the values of columns as text, but those that a section has anyway."""
    names = [name for name in columns if name not in ("source", "summary", SENTENCES)]
    shown = choose_values(row, names, data)
    return {name: "" if value is None else str(value) for name, value in shown.items()}


def _list_facts(job: JobSummary) -> dict[str, str | None]:
    return {
        "job": str(job.job_id),
        "batch": job.batch,
        "state": job.state,
        "how": f"{job.strategy}, {job.style}, weights {describe_weights(job.weights, job.served_weights)}",
        "reason": job.reason,
        "sentences": describe_verdicts(job.verified, job.quoted, job.flagged),
        "consistency": None if job.consistency is None else f"{job.consistency:.3f}",
        "needs review": job.review,
    }


def _describe_citations(sentences: Iterable[CitedSentence]) -> Iterator[str]:
    """Yield an item per marked sentence: its number, its verdict, and a line per passage; of a digest, per document."""
    for sentence in sentences:
        if sentence.number is not None:
            yield f"- [{sentence.number}] {escape_markdown(sentence.verdict)}"
            if not sentence.documents:
                yield from (f"  - {_describe_passage(passage)}" for passage in sentence.citations)
            for document in sentence.documents:
                yield f"  - {escape_markdown(document.label)}"
                yield from (f"    - {_describe_passage(passage)}" for passage in document.passages)


def _describe_passage(passage: Passage) -> str:
    places = f" ({escape_markdown(' > '.join(passage.places))})" if passage.places else ""
    return f"“{escape_markdown(shorten_passage(passage.text))}”{places}"


def _make_schema(names: Sequence[str], data: Fields) -> object:
    """Return the types of columns: a job's fields and data, sentences as structures, facts about documents as text."""
    import pyarrow

    text, whole = pyarrow.string(), pyarrow.int64()
    span = {"start": whole, "end": whole, "text": text}
    citation = pyarrow.struct(span | {"headings": pyarrow.list_(text), "page": whole})
    verdict = {"kind": text, "score": pyarrow.float64(), "reason": text, "citations": pyarrow.list_(citation)}
    document = pyarrow.struct({"job_id": text, "source": text, "title": text, "passages": pyarrow.list_(citation)})
    verdict["documents"] = pyarrow.list_(document)
    sentence = pyarrow.struct({"number": whole} | span | verdict)

    moment = pyarrow.timestamp("us", tz="UTC")
    kinds = {"bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64(), "datetime": moment}
    # Annotations are strings here: "int", "float | None", ...
    types = {field.name: kinds.get(str(field.type).partition(" ")[0], text) for field in fields(JobSummary)}
    types[SENTENCES] = pyarrow.list_(sentence)
    values = {"boolean": pyarrow.bool_(), "integer": pyarrow.int64(), "number": pyarrow.float64()}
    types |= {column.name: values.get(column.kind, text) for column in data} | {DATA: text}
    return pyarrow.schema([(name, types.get(name, text)) for name in names])
