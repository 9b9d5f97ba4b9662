"""Results as they come: one line of JSON a row, on disk before the next row begins, and tables of them.

A run may be cut at any moment, by a limit of time or by a card that stops answering. Everything measured before that is
worth having, so nothing waits for the end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROWS, SUMMARY, TABLES = "rows.jsonl", "results.json", "report.md"
# Characters of an error's text that are kept.
ERROR_CHARACTERS = 300


class Recorder:
    """Appends rows of one section to the file of rows.

    Args:
        folder: of the results; it is made if there is none.
        section: that the rows belong to.
    """

    def __init__(self, folder: Path, section: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._section, self._started = folder / ROWS, section, time.monotonic()
        # A process that was ended while it wrote has left a part of a line.
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):
            self._append("\n")

    def add(self, name: str, **values: Any) -> None:
        """Write one row; it is on disk when this returns."""
        row = {"section": self._section, "name": name, **values, "at": round(time.monotonic() - self._started, 2)}
        line = json.dumps(row, default=str) + "\n"
        self._append(line)
        print(line, end="", flush=True)

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def catch(self, name: str) -> Iterator[None]:
        """Record what fails within the block as a row, and go on after it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - one measurement that does not run must not end the others
            self.add(name, error=describe(error))


def describe(error: BaseException) -> str:
    """Return the kind of an error and the first line of its text."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:ERROR_CHARACTERS]


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return all rows that were written; a last line that was cut is left out."""
    path = folder / ROWS
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def write_summary(folder: Path) -> None:
    """Write all rows by section as one JSON file, and as tables; an older one is replaced as a whole."""
    rows = read_rows(folder)
    sections: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sections.setdefault(row["section"], []).append({key: row[key] for key in row if key != "section"})
    replace_file(folder / SUMMARY, json.dumps(sections, indent=1) + "\n")
    replace_file(folder / TABLES, "\n".join(render_section(name, found) for name, found in sections.items()))


def replace_file(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, whenever the process ends."""
    draft = path.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def render_section(name: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return the rows of a section as a Markdown table."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "at"))
    lines = [f"## {name}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(render_value(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def render_value(value: Any) -> str:
    """Return a value as it stands in a cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
