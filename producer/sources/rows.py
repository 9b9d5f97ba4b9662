"""Conversion of rows, of table files and of records in memory, to sources, one row at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.decoding import decode_text
from producer.sources.documents import check_content, read_text
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.sandbox import Sandbox
from producer.sources.source import Content, ReadEvent, SeenDigests, SourceDuplicate, SourceNote, describe_problem
from producer.sources.table import UNDECODED, Columns, Record, Row, Table, choose_columns, describe_value
from producer.sources.table_files import open_table
from producer.sources.text import clean_label

# Name of records in memory in messages.
RECORDS = "the input"


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reader of the rows of one table.

    Args:
        name: display name of the file, part of the names of rows without an id; "" for records in memory.
        columns: columns of text, id and title.
        sandbox: converts cells that hold HTML.
        limits: limits of reading, per row.
    """

    name: str
    columns: Columns
    sandbox: Sandbox
    limits: ReadLimits

    def read_row(self, row: Row) -> Content:
        """Return the content of one row.

        Raises:
            SourceError: the row has no text, or its text cannot be read.
        """
        if row.problem:
            raise row.problem
        text = self._read_cell(row.values.get(self.columns.text))
        content = check_content(read_text(text, None, self.sandbox), self.limits)
        title = self._read_label(row, self.columns.title) or content.title
        place = {"file": self.name} if self.name else {}
        metadata = place | {"row": str(row.number)} | content.metadata | self._read_metadata(row.values)
        return replace(content, title=title, metadata=metadata)

    def name_row(self, row: Row) -> str:
        """Return the row's id, else its place."""
        return self.read_id(row) or self.locate_row(row)

    def locate_row(self, row: Row) -> str:
        """Return the row's place: its file and number."""
        return f"{self.name}#row {row.number}" if self.name else f"row {row.number}"

    def read_id(self, row: Row) -> str:
        """Return the row's id, "" if it has none."""
        return self._read_label(row, self.columns.id)

    def _read_label(self, row: Row, column: str) -> str:
        """Return the value of a column, "" without the column; a file may have one whose name is ""."""
        return clean_label(_format_cell(row.values.get(column))) if column else ""

    def _read_cell(self, value: object) -> str:
        if isinstance(value, bytes):
            value = decode_text(value)
        if value is None or value == "":
            raise UnreadableError(f"has no text in column {self.columns.text!r}; fill it in or leave the row out")
        if not isinstance(value, str):
            found = f"holds {describe_value(value)} in column {self.columns.text!r}, not a text"
            raise UnreadableError(f"{found}; give its text, or another column by --text-column")
        if not value.isascii() and UNDECODED.search(value):
            raise UnreadableError("holds bytes that are not in the encoding of the file (UTF-8?); repair its text")
        return value

    def _read_metadata(self, values: Record) -> dict[str, str]:
        others = {name: value for name, value in values.items() if name not in self.columns.names}
        labels = {clean_label(name): clean_label(_format_cell(value)) for name, value in others.items()}
        return {name: label for name, label in labels.items() if name and label}


def read_rows(
    path: Path,
    kind: FileKind,
    name: str,
    *,
    text_column: str | None,
    id_column: str | None,
    sandbox: Sandbox,
    limits: ReadLimits,
) -> Iterator[ReadEvent]:
    """Yield a source, a problem or a duplicate for every row of a table file.

    Raises:
        SourceError: the file is not a table of this kind, or lacks a column.
    """
    table = open_table(path, kind, limits, sandbox)
    yield from read_table(table, name, text_column=text_column, id_column=id_column, sandbox=sandbox, limits=limits)


def read_table(
    table: Table,
    name: str,
    *,
    text_column: str | None,
    id_column: str | None,
    sandbox: Sandbox,
    limits: ReadLimits,
) -> Iterator[ReadEvent]:
    """Yield a source, a problem or a duplicate for every row of a table; its name is "" for records in memory.

    Raises:
        SourceError: the table is empty, or lacks a column.
    """
    first = next(table.rows, None)
    if first is None:
        raise UnreadableError("is empty; give a table with a header and at least one row")
    columns = choose_columns(table.columns, text_column=text_column, id_column=id_column)
    value = first.values.get(columns.text)
    if columns.is_guessed and isinstance(value, dict | list):
        found = f"has no column that is obviously the text ({columns.text!r} holds {describe_value(value)})"
        raise SourceUsageError(f"{found}; give one object a document, and name its text by --text-column")
    if guesses := columns.describe_guesses():
        shown = name or RECORDS
        yield SourceNote(shown, f"{shown}: {guesses}.")
    yield from (SourceNote(name, f"{name} {note}.") for note in table.notes)
    reader = RowReader(name, columns, sandbox, limits)
    seen = SeenDigests()
    for row in chain([first], table.rows):
        yield from _read_events(reader, row, seen)


def _read_events(reader: RowReader, row: Row, seen: SeenDigests) -> list[ReadEvent]:
    """Read one row; a row without an id is a duplicate if an earlier one has the same text."""
    name = reader.name_row(row)
    try:
        content = reader.read_row(row)
    except SourceError as error:
        return [describe_problem(reader.locate_row(row), error)]
    first_name = None if reader.read_id(row) else seen.find_first("", content.text, name=name)
    return [SourceDuplicate(name, first_name)] if first_name else content.list_events(name)


def _format_cell(value: object) -> str:
    """Return a cell as text: nested values as JSON, null and bytes as ""."""
    if value is None or isinstance(value, bytes):
        return ""
    try:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        # Nothing about a value beside the text may cost its row: integers of thousands of digits, deep nesting.
        return ""
