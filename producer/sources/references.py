"""Reader of reference summaries: a table with a column of document names and a column of good summaries."""

from __future__ import annotations

from pathlib import Path

from producer.errors import ProducerError, SourceError
from producer.sources.decoding import decode_text
from producer.sources.kinds import FileKind, find_kind
from producer.sources.limits import ReadLimits
from producer.sources.table_files import open_table
from producer.sources.table import BrokenTableError, Record, Table, choose_columns
from producer.sources.text import clean_label


class ReferencesError(ProducerError):
    """A file of references cannot be used; the message names it and what to do."""

    exit_code = 2


def read_references(path: Path, *, id_column: str, reference_column: str) -> dict[str, str]:
    """Return references by document name; names are normalized like the sources of jobs.

    Raises:
        ReferencesError: the file is no table, lacks a column, has a broken row or two references for a document.
    """
    try:
        table = _open_table(path)
        choose_columns(table.columns, text_column=reference_column, id_column=id_column)
    except (SourceError, BrokenTableError, UnicodeError) as error:
        words = str(error).replace("--text-column", "--reference-column")
        raise ReferencesError(f"{path} {words}") from error
    references: dict[str, str] = {}
    for row in table.rows:
        if row.problem is not None:
            raise ReferencesError(f"{path}#row {row.number} {row.problem}")
        name, reference = _read_cell(row.values, id_column), _read_cell(row.values, reference_column)
        label = clean_label(name)
        if not label:
            raise ReferencesError(f"{path}#row {row.number} has nothing in column {id_column!r}; name its document")
        if references.setdefault(label, reference) != reference:
            raise ReferencesError(f"{path} has two references for {label!r}; keep one of them")
    return references


def _open_table(path: Path) -> Table:
    kind = find_kind(path.suffix)
    if kind is None or not kind.is_table:
        tables = ", ".join(table.value for table in FileKind if table.is_table)
        raise ReferencesError(f"{path} is no table; give references as one of {tables}")
    return open_table(path, kind, ReadLimits())


def _read_cell(values: Record, column: str) -> str:
    value = values.get(column)
    if isinstance(value, bytes):
        return decode_text(value)
    return "" if value is None else str(value)
