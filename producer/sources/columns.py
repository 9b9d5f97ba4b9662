"""Choice of the columns of a table that hold a document's text, id and title."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from producer.errors import SourceUsageError
from producer.sources.text import clean_label

# Names that clearly mean the text of a document; others need --text-column.
TEXT_NAMES = frozenset({"text", "article", "content", "body", "writeup"})
TITLE_NAMES = ("title", "headline")
# Characters of a column's name in a message; a damaged header can be one name of a million.
SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read; ``id`` and ``title`` are "" if there is none."""

    text: str
    id: str = ""
    title: str = ""
    is_guessed: bool = False

    @property
    def names(self) -> set[str]:
        """All columns that have a role."""
        return {self.text, self.id, self.title}


def choose_columns(columns: tuple[str, ...], *, text_column: str | None, id_column: str | None) -> Columns:
    """Return the columns to read; the text's is guessed if not given and unambiguous.

    Raises:
        SourceUsageError: a given column does not exist, or no text column is given and the guess is ambiguous.
    """
    if not columns:
        # No row could be read; the rows carry the reasons.
        return Columns(text_column or "text", id_column or "")
    for option, column in (("--text-column", text_column), ("--id-column", id_column)):
        if column is not None and column not in columns:
            raise SourceUsageError(f"has no column {column!r}; give {option} one of {_list_nearest(column, columns)}")
    title = next((name for name in columns if name.lower() in TITLE_NAMES and name != text_column), "")
    return Columns(text_column or _guess_text_column(columns), id_column or "", title, text_column is None)


def _guess_text_column(columns: tuple[str, ...]) -> str:
    candidates = [name for name in columns if name.lower() in TEXT_NAMES or len(columns) == 1]
    if len(candidates) != 1:
        reason = "several columns could be the text" if candidates else "no column is obviously the text"
        raise SourceUsageError(
            f"is a table in which {reason}; give --text-column one of {_list_nearest('text', columns)}"
        )
    return candidates[0]


def _list_nearest(column: str, columns: tuple[str, ...]) -> str:
    def distance(name: str) -> float:
        return -difflib.SequenceMatcher(None, column.lower(), name.lower()).ratio()

    shown = sorted(columns, key=distance)[:12]
    more = f" and {len(columns) - len(shown)} more" if len(columns) > len(shown) else ""
    return ", ".join(repr(clean_label(name, max_chars=SHOWN_CHARS)) for name in shown) + more
