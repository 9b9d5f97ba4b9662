"""Columns of an export: fields of the job, and facts about its document, such as the other columns of its table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy.orm import Session

from models.base import Json
from models.errors import SettingsError
from models.listing import JobFilter, list_detail_names
from models.views import JobSummary
from producer.summaries import Summary

JOB_COLUMNS = tuple(column.name for column in fields(JobSummary))
SENTENCES = "sentences"
# Before the name of a fact that is also the name of a field of the job.
DETAILS = "details."
# Names of columns in a message.
SHOWN_NAMES = 12


def flatten(job: JobSummary) -> Json:
    """Return a job as scalar values by column: ids as text, metrics as JSON."""
    row = asdict(job)
    return row | {name: str(row[name]) for name in ("job_id", "batch_id")} | {"metrics": json.dumps(job.metrics)}


def choose_values(row: Summary, columns: Sequence[str]) -> Json:
    """Return the values of columns; a fact that the document lacks is None."""
    known = flatten(row.job) | {SENTENCES: list(map(asdict, row.sentences))}
    return {name: known[name] if name in known else row.details.get(name.removeprefix(DETAILS)) for name in columns}


def check_columns(session: Session, wanted: JobFilter, columns: Sequence[str]) -> None:
    """Refuse a column that no job and no document has.

    Raises:
        SettingsError: there is one; the message names the nearest.
    """
    unknown = [name for name in columns if name not in (*JOB_COLUMNS, SENTENCES)]
    if not unknown:
        return
    details = list_detail_names(session, wanted)
    for name in unknown:
        if name.removeprefix(DETAILS) not in details:
            there = [*JOB_COLUMNS, SENTENCES, *details]
            nearest = difflib.get_close_matches(name, there, n=3, cutoff=0.5) or details[:SHOWN_NAMES] or JOB_COLUMNS
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
