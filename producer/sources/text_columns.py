"""Reading of a few columns of a table as texts: references, examples, and pairs to train on.

It reads the kinds of files that submission reads, in the same way; a row that cannot be read is a problem by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.decoding import decode_text
from producer.sources.documents import explain_os_error
from producer.sources.kinds import FileKind, find_kind
from producer.sources.limits import ReadLimits
from producer.sources.sandbox import Sandbox
from producer.sources.source import SourceProblem, describe_problem
from producer.sources.table import UNDECODED, Record, Row, describe_value, find_column, list_nearest
from producer.sources.table_files import open_table
from producer.sources.text import normalize_text


@dataclass(frozen=True, slots=True)
class WantedColumn:
    """A column to read.

    Args:
        option: option of the command line that names it, "" if there is none.
        name: its name; None takes the first of ``guesses`` that the file has, whatever its case.
        guesses: usual names.
    """

    option: str
    name: str | None = None
    guesses: tuple[str, ...] = ()

    def find_in(self, columns: tuple[str, ...]) -> str:
        """Return the name that the column has in a file.

        Raises:
            SourceUsageError: the file lacks it.
        """
        usual = {name.lower(): name for name in reversed(columns)}
        if self.name is not None:
            found = find_column(self.name, columns)
        else:
            found = next((usual[guess] for guess in self.guesses if guess in usual), None)
        if found is None:
            wanted = self.name or self.guesses[0]
            nearest = list_nearest(wanted, columns)
            advice = f"give {self.option} one of {nearest}" if self.option else f"rename one of {nearest}"
            raise SourceUsageError(f"has no column {wanted!r}; {advice}")
        return found


@dataclass(frozen=True, slots=True)
class TextRow:
    """The texts of the wanted columns in one row; "" where it has none."""

    number: int
    texts: tuple[str, ...]


def read_text_columns(
    path: Path, wanted: Sequence[WantedColumn], *, otherwise: FileKind | None = None
) -> Iterator[TextRow | SourceProblem]:
    """Yield the texts of a table's rows, or the problems with them.

    Args:
        path: the file.
        wanted: the columns.
        otherwise: kind of a file whose suffix is no table's; None refuses it.

    Raises:
        SourceError: the file is no readable table, or lacks a column.
    """
    limits = ReadLimits()
    kind = find_kind(path.suffix)
    kind = kind if kind and kind.is_table else otherwise
    if kind is None:
        tables = ", ".join(table.value for table in FileKind if table.is_table)
        raise SourceUsageError(f"is no table; give one of {tables}")
    try:
        # Some kinds are opened at their first row, whose problem it would be.
        path.stat()
        with Sandbox(limits) as sandbox:
            table = open_table(path, kind, limits, sandbox)
        first = next(table.rows, None)
    except OSError as error:
        raise explain_os_error(error) from error
    if first is None:
        raise UnreadableError("is empty; give a table with a header and at least one row")
    if first.problem and not table.columns:
        raise first.problem
    names = [column.find_in(table.columns) for column in wanted]
    yield _read_row(path, first, names)
    for row in table.rows:
        yield _read_row(path, row, names)


def _read_row(path: Path, row: Row, names: Sequence[str]) -> TextRow | SourceProblem:
    try:
        if row.problem:
            raise row.problem
        return TextRow(row.number, tuple(_read_cell(row.values, name) for name in names))
    except SourceError as error:
        return describe_problem(f"{path}#row {row.number}", error)


def _read_cell(values: Record, name: str) -> str:
    value = values.get(name)
    if isinstance(value, bytes):
        value = decode_text(value)
    if isinstance(value, dict | list):
        raise UnreadableError(f"holds {describe_value(value)} in column {name!r}, not a text; convert it to text")
    text = "" if value is None else str(value)
    if not text.isascii() and UNDECODED.search(text):
        raise UnreadableError("holds bytes that are not in the encoding of the file (UTF-8?); repair its text")
    return normalize_text(text)
