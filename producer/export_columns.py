"""Columns of an export: fields of the job, and facts about its document, such as the other columns of its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy.orm import Session

from models.base import Json
from models.errors import SettingsError
from models.listing import JobFilter, list_detail_names
from models.nearest import find_nearest
from models.schema_fields import SchemaColumn
from models.views import JobSummary
from producer.citations import CitedSentence
from producer.summaries import Summary

# Column of the whole data of a structured summary, whose fields are usual columns of their own.
DATA = "data"
JOB_COLUMNS = tuple(column.name for column in fields(JobSummary) if column.name != DATA)
SENTENCES = "sentences"
# Before the name of a fact that is also the name of a field of the job.
DETAILS = "details."
# Names of columns in a message.
SHOWN_NAMES = 12


def flatten(job: JobSummary) -> Json:
    """Return a job as scalar values by column: ids as text, metrics and data as JSON."""
    row = asdict(job)
    data = None if job.data is None else json.dumps(job.data, ensure_ascii=False)
    row |= {"metrics": json.dumps(job.metrics), DATA: data}
    return row | {name: str(row[name]) for name in ("job_id", "batch_id")}


def choose_values(row: Summary, columns: Sequence[str], data: Sequence[SchemaColumn] = ()) -> Json:
    """Return the values of columns; a fact that the document lacks is None.

    Args:
        row: the job with its summary.
        columns: names of the columns.
        data: columns of the fields of structured summaries, as far as they are wanted.
    """
    known = flatten(row.job) | {SENTENCES: list(map(_flatten_sentence, row.sentences))}
    known |= {column.name: column.read(row.job.data) for column in data}
    return {name: known[name] if name in known else row.details.get(name.removeprefix(DETAILS)) for name in columns}


def _flatten_sentence(sentence: CitedSentence) -> Json:
    documents = [asdict(document) | {"job_id": str(document.job_id)} for document in sentence.documents]
    return asdict(sentence) | {"documents": documents}


def check_columns(
    session: Session, wanted: JobFilter, columns: Sequence[str], data: Sequence[SchemaColumn] = ()
) -> None:
    """Refuse a column that no job, no structured summary and no document has.

    Raises:
        SettingsError: there is one; the message names the nearest.
    """
    known = [*JOB_COLUMNS, DATA, SENTENCES, *(column.name for column in data)]
    unknown = [name for name in columns if name not in known]
    if not unknown:
        return
    details = list_detail_names(session, wanted)
    for name in unknown:
        if name.removeprefix(DETAILS) not in details:
            there = [*known, *details]
            nearest = find_nearest(name, there) or details[:SHOWN_NAMES] or JOB_COLUMNS
            raise SettingsError(f"there is no column {name!r}; such as there are: {', '.join(nearest)}")


def split_columns(given: str) -> tuple[str, ...]:
    """Return the names in a list with commas between them.

    Raises:
        SettingsError: one is blank, or stands twice.
    """
    names = tuple(name.strip() for name in given.split(","))
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if "" in names or twice:
        fault = f"names {twice[0]!r} twice" if twice else "has a name that is blank"
        raise SettingsError(f"--columns {fault}; give names with commas between them, such as source,summary,author")
    return names
