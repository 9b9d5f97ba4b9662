"""Preparation of a submission: its documents and options, checked before anything is read or stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.base import Json
from models.errors import SettingsError
from models.job import Priority
from producer.errors import SubmissionError
from producer.intake import SubmissionRequest, name_batch, name_documents
from producer.options import READING_OPTIONS, build_job_options, check_texts
from producer.sources.characters import compose
from producer.sources.given import Documents, list_paths
from producer.sources.kinds import SUFFIXES
from producer.sources.limits import RECOGNITION_LIMITS, ReadLimits
from producer.sources.reading import read_sources
from producer.sources.source import ReadEvent, Source

# Most days for which a batch keeps its jobs: a century.
MOST_DAYS = 36_525


@dataclass(frozen=True, slots=True)
class Reading:
    """Documents to read, and how.

    Args:
        documents: paths, URLs, documents in memory or a DataFrame.
        text_column: column of a table that holds the text.
        id_column: column that names the documents.
        limit: maximum number of documents.
        ocr: recognize the text of pages that are pictures.

    Raises:
        SettingsError: a column is named, and every document is a file of another kind than a table.
    """

    documents: Documents
    text_column: str | None = None
    id_column: str | None = None
    limit: int | None = None
    ocr: bool = False

    def __post_init__(self) -> None:
        columns = {"--text-column": self.text_column, "--id-column": self.id_column}
        given = [option for option, column in columns.items() if column is not None]
        if given and all(map(_is_no_table, list_paths(self.documents) or ("",))):
            raise SettingsError(f"{given[0]} names a column of a table, and no table is given; leave it out")

    def read(self) -> Iterator[ReadEvent]:
        """Start reading.

        Raises:
            SourceError: an option is invalid.
            SubmissionError: the documents are of a type that holds none.
        """
        return read_sources(
            self.documents,
            text_column=self.text_column,
            id_column=self.id_column,
            limit=self.limit,
            limits=RECOGNITION_LIMITS if self.ocr else ReadLimits(),
        )

    def describe(self) -> Json:
        """Return the options that change what is read."""
        rows = {"text_column": self.text_column, "id_column": self.id_column, "limit": self.limit}
        return rows | ({"ocr": True} if self.ocr else {})


@dataclass(frozen=True, slots=True)
class Preparation:
    """A submission that is ready to run.

    Args:
        reading: the documents.
        request: options of every document; its batch is "" while the documents themselves must name it.
        is_strict: submit nothing if anything cannot be read.
        webhook: address that is called when the batch has ended; None for none.
    """

    reading: Reading
    request: SubmissionRequest
    is_strict: bool = False
    webhook: str | None = None

    def name_after(self, digest: DocumentsDigest) -> SubmissionRequest:
        """Return the request with a batch that is named after the documents and the options."""
        asked = self.reading.describe() | self.request.options.model_dump(mode="json")
        return replace(self.request, batch=name_documents(digest.hexdigest(), asked))


class DocumentsDigest:
    """Digest of the documents of a submission, so that the same ones are the same batch."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, event: ReadEvent) -> None:
        """Add a document; other events change nothing."""
        if isinstance(event, Source):
            self._digest.update(json.dumps([event.name, event.format, event.text]).encode())

    def hexdigest(self) -> str:
        """Return the digest as 64 hex digits."""
        return self._digest.hexdigest()


def split_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of reading, and those of the jobs."""
    reading = {name: value for name, value in given.items() if name in READING_OPTIONS}
    return reading, {name: value for name, value in given.items() if name not in READING_OPTIONS}


def prepare_submission(
    documents: Documents,
    given: Mapping[str, Any],
    *,
    name: str | None = None,
    priority: str = "normal",
    strict: bool = False,
    keep_days: int | None = None,
    webhook: str | None = None,
) -> Preparation:
    """Check the options of a submission.

    Args:
        documents: paths, URLs, documents in memory or a DataFrame.
        given: options of reading and of the jobs by name.
        name: name of the batch; by default made from the documents and the options.
        priority: low, normal or high.
        strict: submit nothing if anything cannot be read.
        keep_days: days for which a new batch keeps an ended job; by default the cluster's setting.
        webhook: address that is called when the batch has ended.

    Raises:
        SubmissionError: a path, the name, the priority or the number of days is invalid.
        SettingsError: an option is invalid.
    """
    of_reading, of_jobs = split_options(given)
    check_texts(of_reading)
    reading = Reading(documents, **of_reading)
    options = build_job_options(of_jobs)
    paths = list_paths(documents)
    for number, path in enumerate(paths or (), 1):
        if "\0" in path:
            raise SubmissionError(f"document {number}: {path!r} is no path or URL, because it holds a NUL character")
    if name is not None:
        batch = check_name(name)
    else:
        batch = name_batch(paths, reading.describe() | options.model_dump(mode="json")) if paths else ""
    asked = {"paths": list(paths)} if paths else {}
    request = SubmissionRequest(
        batch=batch,
        options=options,
        priority=find_priority(priority),
        asked=asked | describe_asked(reading.describe() | of_jobs),
        retention_days=check_days(keep_days),
    )
    return Preparation(reading, request, is_strict=strict, webhook=webhook)


def check_name(name: str) -> str:
    """Return the name of a batch in its composed form.

    Raises:
        SubmissionError: it is blank, or cannot be stored.
    """
    if not name.strip():
        raise SubmissionError("--batch needs a name that is not blank")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise SubmissionError(f"{name!r} cannot be stored as the name of a batch; give one of printable characters")
    return compose(name)


def _is_no_table(path: str) -> bool:
    """Tell whether a path is that of a file whose name tells that it is no table."""
    kind = SUFFIXES.get(Path(path).suffix.lower())
    return kind is not None and not kind.is_table and Path(path).is_file()


def check_days(days: int | None) -> int | None:
    """Return the number of days that a batch keeps its jobs.

    Raises:
        SubmissionError: it is none that can be stored.
    """
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise SubmissionError(f"a job is kept for 1 to {MOST_DAYS:,} days, not {days}")
    return days


def find_priority(name: str) -> Priority:
    """Return the priority with a name.

    Raises:
        SubmissionError: there is none.
    """
    try:
        return Priority[name.upper()]
    except (AttributeError, KeyError):
        raise SubmissionError(f"priority {name!r} is not one of low, normal, high") from None


def describe_asked(given: Mapping[str, Any]) -> Json:
    """Return options as they were given, for the batch's row."""
    return {
        option: value if isinstance(value, bool | int | float) else str(value)
        for option, value in given.items()
        if value is not None
    }
