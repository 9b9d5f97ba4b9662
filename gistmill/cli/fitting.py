"""Fitting of a table to the width of a terminal: columns give way in a stated order, and long texts are cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
from rich.cells import cell_len, set_cell_size

# Columns of the terminal between two cells.
GAP = 2
# Cells that tell nothing.
NOTHING = ("", "0")


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table whose lines fit.

    Args:
        columns: headings.
        rows: cells, cut where they were too long.
        widths: of the columns.
        hidden: headings of columns that were left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    hidden: tuple[str, ...]

    @property
    def width(self) -> int:
        """Width of a line."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def fit_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    flexible: Mapping[str, int],
    droppable: Sequence[str],
) -> FittedTable:
    """Return a table that fits a width, if its columns allow that.

    Args:
        columns: headings.
        rows: cells.
        width: of the terminal.
        flexible: columns whose texts may be cut, with the width that each keeps.
        droppable: columns that may be left out, the first one first; those that tell nothing go before all others.
    """
    natural = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    least = {place: min(size, flexible.get(columns[place], size)) for place, size in enumerate(natural)}
    leaving = [columns.index(name) for name in droppable]
    empty = [place for place in leaving if all(row[place] in NOTHING for row in rows)]
    for place in dict.fromkeys([*empty, *leaving]):
        if sum(least.values()) + GAP * (len(least) - 1) <= width:
            break
        del least[place]
    widths = _share_space(least, natural, width)
    return FittedTable(
        columns=tuple(_cut(columns[place], size) for place, size in widths.items()),
        rows=tuple(tuple(_cut(row[place], size) for place, size in widths.items()) for row in rows),
        widths=tuple(widths.values()),
        hidden=tuple(name for place, name in enumerate(columns) if place not in widths),
    )


def _share_space(least: Mapping[int, int], natural: Sequence[int], width: int) -> dict[int, int]:
    """Return the widths of columns by place: the least ones, and a share of what is left for those that want more."""
    widths = dict(least)
    space = width - sum(widths.values()) - GAP * (len(widths) - 1)
    wanting = sorted(widths, key=lambda place: natural[place] - widths[place])
    for turn, place in enumerate(wanting):
        more = max(0, min(natural[place] - widths[place], space // (len(wanting) - turn)))
        widths[place] += more
        space -= more
    return widths


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def pad_cell(text: str, width: int) -> str:
    """Return a text with spaces behind it, as wide as its column on a terminal."""
    return text + " " * (width - cell_len(text))


def wrap_styled(line: str, width: int, *, indent: int) -> list[str]:
    """Return a line broken between words, whose styles take no space.

    Args:
        line: the line; the spaces in it stay.
        width: of the terminal.
        indent: spaces before its continuation.
    """
    lines = [""]
    for word in re.findall(r"\s*\S+", line):
        if lines[-1].strip() and cell_len(click.unstyle(lines[-1] + word)) > width:
            lines.append(" " * indent + word.lstrip())
        else:
            lines[-1] += word
    return lines
