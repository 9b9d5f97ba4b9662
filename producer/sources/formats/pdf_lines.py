"""Lines of text on a page, with their places, and the rows that they form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Letters of scripts that are written without spaces take about twice the room.
WIDE = "\u2e80"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and its box, in points from the lower left corner."""

    text: str
    x0: float
    x1: float
    y0: float
    y1: float

    @property
    def height(self) -> float:
        """Height of the line."""
        return self.y1 - self.y0

    @property
    def width_in_chars(self) -> int:
        """Number of characters, of which wide ones count twice."""
        return len(self.text) + sum(character >= WIDE for character in self.text)


def find_top(lines: Iterable[Line]) -> float:
    """Return the upper edge of lines."""
    return max(line.y1 for line in lines)


def find_bottom(lines: Iterable[Line]) -> float:
    """Return the lower edge of lines."""
    return min(line.y0 for line in lines)


def group_rows(lines: Iterable[Line]) -> list[list[Line]]:
    """Return the lines as rows, from top to bottom; lines of one row overlap by half of their height."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (-line.y1, line.x0)):
        last = rows[-1][0] if rows else None
        if last and min(last.y1, line.y1) - max(last.y0, line.y0) > min(last.height, line.height) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]
