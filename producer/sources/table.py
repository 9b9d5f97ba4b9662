"""Tables as streams: columns, and rows read one at a time, so that a file of any size takes constant memory.

The columns that hold a document's text, id and title are chosen by name.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.characters import compose
from producer.sources.text import clean_label

# Leading records that determine the columns of a JSON table; records may lack fields.
PEEKED_RECORDS = 100

# Kinds of values of JSON and Parquet in words; True is a number to Python, so that it is looked for first.
VALUES: dict[type | tuple[type, ...], str] = {
    bool: "true or false",
    (int, float): "a number",
    list: "a list",
    dict: "an object",
    type(None): "nothing",
}
Record = dict[str, object]
# Bytes outside of a file's encoding, as decoding leaves them.
UNDECODED = re.compile("[\udc80-\udcff]")


class BrokenTableError(Exception):
    """A table is broken at a row, so that the rest cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, from 1 without the header, and its values or the problem with it."""

    number: int
    values: Record
    problem: SourceError | None = None


@dataclass(frozen=True, slots=True)
class LostRows:
    """Rows one after the other that cannot be read for one reason; the problem is that of the first."""

    count: int
    problem: SourceError


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file, a lazy iterator over its rows, and notes on what is not read."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    notes: tuple[str, ...] = ()


def describe_value(value: object) -> str:
    """Return a value that is no text by its kind, as a person would call it: "a list"."""
    return next((words for kind, words in VALUES.items() if isinstance(value, kind)), "a value of another kind")


def check_names(columns: tuple[str, ...]) -> None:
    """Reject a column name that stands twice, because one of its values would be lost.

    Raises:
        SourceUsageError: there is one; several columns without a name are none.
    """
    for name, count in Counter(columns).items():
        if name and count > 1:
            shown = clean_label(name, max_chars=SHOWN_CHARS)
            raise SourceUsageError(f"has {count} columns {shown!r}; rename all but one")


def describe_titles(titles: Sequence[str]) -> tuple[str, ...]:
    """Return a note on the titles above a header; nothing if there are none."""
    shown = ", ".join(repr(clean_label(title, max_chars=SHOWN_CHARS)) for title in titles[:SHOWN_TITLES])
    return (f"has lines above its header, which are left out: {shown}",) if titles else ()


def peek_columns(records: Iterator[Record | SourceError]) -> Table:
    """Return a table whose columns are the field names of its first records.

    Raises:
        UnreadableError: there is no record.
    """
    return peek_rows(number_records(records))


def peek_rows(rows: Iterator[Row]) -> Table:
    """Return a table whose columns are the field names of its first rows.

    Raises:
        UnreadableError: there is no row.
    """
    first = list(islice(rows, PEEKED_RECORDS))
    if not first:
        raise UnreadableError("is empty; give at least one JSON object")
    columns = dict.fromkeys(name for row in first for name in row.values)
    return Table(tuple(columns), chain(first, rows))


def number_records(records: Iterator[Record | SourceError | LostRows]) -> Iterator[Row]:
    """Number records from 1; an error of the reader becomes a last row with the problem."""
    number = 0
    try:
        for record in records:
            number += 1
            if isinstance(record, LostRows):
                yield Row(number, {}, record.problem)
                number += record.count - 1
            else:
                yield Row(number, {}, record) if isinstance(record, SourceError) else Row(number, record)
    except (BrokenTableError, OSError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        message = f"cannot be read ({reason}), so this row and all after it are missing; repair the file"
        yield Row(number + 1, {}, UnreadableError(message))


# Names that clearly mean the text of a document; others need --text-column.
TEXT_NAMES = frozenset({"text", "article", "content", "body", "writeup"})
TITLE_NAMES = ("title", "headline")
# Names that clearly mean what a document is called by; others need --id-column.
ID_NAMES = ("id", "doc_id", "document_id")
# Characters of a column's name in a message; a damaged header can be one name of a million.
SHOWN_CHARS = 60
SHOWN_TITLES = 5


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read; ``id`` and ``title`` are "" if there is none."""

    text: str
    id: str = ""
    title: str = ""
    is_guessed: bool = False
    is_id_guessed: bool = False

    @property
    def names(self) -> set[str]:
        """All columns that have a role."""
        return {self.text, self.id, self.title}

    def describe_guesses(self) -> str:
        """Return the guessed columns as a clause; "" if none is guessed."""
        guesses = {
            "the text is taken": (self.text, "--text-column", self.is_guessed),
            "the names are taken": (self.id, "--id-column", self.is_id_guessed),
        }
        return " and ".join(
            f"{words} from column {clean_label(column, max_chars=SHOWN_CHARS)!r} (change it with {option})"
            for words, (column, option, is_guessed) in guesses.items()
            if is_guessed
        )


def choose_columns(columns: tuple[str, ...], *, text_column: str | None, id_column: str | None) -> Columns:
    """Return the columns to read; those of the text and the id are guessed if not given and unambiguous.

    Raises:
        SourceUsageError: a given column does not exist, or no text column is given and the guess is ambiguous.
    """
    if not columns:
        # No row could be read; the rows carry the reasons.
        return Columns(text_column or "text", id_column or "")
    text = _require_column(text_column, columns, option="--text-column")
    ident = _require_column(id_column, columns, option="--id-column")
    title = next((name for name in columns if name.lower() in TITLE_NAMES and name != text), "")
    text = text or _guess_text_column(columns)
    guess = "" if ident else next((name for name in columns if name.lower() in ID_NAMES and name != text), "")
    return Columns(text, ident or guess, title, text_column is None, bool(guess))


def _require_column(name: str | None, columns: tuple[str, ...], *, option: str) -> str | None:
    if name is None:
        return None
    found = find_column(name, columns)
    if found is None:
        raise SourceUsageError(f"has no column {name!r}; give {option} one of {list_nearest(name, columns)}")
    return found


def find_column(name: str, columns: tuple[str, ...]) -> str | None:
    """Return a column's name as its file has it, where letters may be decomposed; None if it lacks the column."""
    return next((column for column in columns if compose(column) == compose(name)), None)


def _guess_text_column(columns: tuple[str, ...]) -> str:
    candidates = [name for name in columns if name.lower() in TEXT_NAMES or len(columns) == 1]
    if len(candidates) != 1:
        reason = "several columns could be the text" if candidates else "no column is obviously the text"
        raise SourceUsageError(
            f"is a table in which {reason}; give --text-column one of {list_nearest('text', columns)}"
        )
    return candidates[0]


def list_nearest(column: str, columns: tuple[str, ...]) -> str:
    """Return the names of a file's columns, those like the wanted one first."""

    def distance(name: str) -> float:
        return -difflib.SequenceMatcher(None, column.lower(), name.lower()).ratio()

    shown = sorted(columns, key=distance)[:12]
    more = f" and {len(columns) - len(shown)} more" if len(columns) > len(shown) else ""
    return ", ".join(repr(clean_label(name, max_chars=SHOWN_CHARS)) for name in shown) + more
