"""Reader of reference summaries: a table with a column of document names and a column of good summaries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from producer.errors import ProducerError, SourceError
from producer.sources.source import SourceProblem
from producer.sources.text import clean_label
from producer.sources.text_columns import WantedColumn, read_text_columns


class ReferencesError(ProducerError):
    """A file of references cannot be used; the message names it and what to do."""

    exit_code = 2


def read_references(
    path: Path, *, id_column: str, reference_column: str, report: Callable[[SourceProblem], None]
) -> dict[str, str]:
    """Return references by document name; names are normalized like the sources of jobs.

    Args:
        path: the table.
        id_column: its column of names.
        reference_column: its column of summaries.
        report: called with each row that cannot be read, and is left out.

    Raises:
        ReferencesError: the file is no table, lacks a column, has a row without a name or two references for a
            document.
    """
    columns = (WantedColumn("--id-column", id_column), WantedColumn("--reference-column", reference_column))
    references: dict[str, str] = {}
    try:
        for row in read_text_columns(path, columns):
            if isinstance(row, SourceProblem):
                report(row)
                continue
            name, reference = row.texts
            label = clean_label(name)
            if not label:
                raise ReferencesError(f"{path}#row {row.number} has nothing in column {id_column!r}; name its document")
            if references.setdefault(label, reference) != reference:
                raise ReferencesError(f"{path} has two references for {label!r}; keep one of them")
    except SourceError as error:
        raise ReferencesError(f"{path} {error}") from error
    return references
