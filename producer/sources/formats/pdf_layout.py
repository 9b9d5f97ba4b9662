"""Reading order of a PDF page: columns one after the other, lines that span them in between, rows of tables as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from pdfminer.layout import LTFigure, LTItem, LTTextLine

# Width of the empty strip between two columns, in points.
MIN_GUTTER = 6.0
# Lines of a column, and characters of its typical line; narrower columns are those of a table.
MIN_COLUMN_LINES = 4
MIN_LINE_CHARS = 16
# Letters of scripts that are written without spaces take about twice the room.
WIDE = "\u2e80"
# Share of the lines that may span the columns: a title, footnotes, wide tables.
MAX_SPANNING_SHARE = 0.5
# Gap between two lines of one paragraph, in heights of a line.
PARAGRAPH_GAP = 0.6
# Points by which a line that is drawn twice is shifted.
DOUBLE_SHIFT = 1.5
# Columns within columns: three columns are found as one and two.
MAX_DEPTH = 4
# Lines of a page from which the search for columns would take too long; such a page is a table or a map.
MAX_LINES = 2000


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


def lay_out_page(page: Iterable[LTItem]) -> str:
    """Return the text of a page in reading order; a blank line separates paragraphs."""
    return lay_out_lines(_list_lines(page))


def lay_out_lines(found: Iterable[Line]) -> str:
    """Return the text of lines in reading order; a blank line separates paragraphs."""
    lines = _drop_doubles(line for line in found if line.text)
    blocks = [lines] if len(lines) > MAX_LINES else _split_columns(lines, depth=0)
    return "\n\n".join(_write_block(block) for block in blocks if block)


def _drop_doubles(lines: Iterable[Line]) -> list[Line]:
    """Return lines without those that are drawn again at nearly the same place to look bold."""
    kept: dict[str, list[Line]] = {}
    for line in lines:
        same = kept.setdefault(line.text, [])
        if all(abs(line.x0 - other.x0) > DOUBLE_SHIFT or abs(line.y0 - other.y0) > DOUBLE_SHIFT for other in same):
            same.append(line)
    return [line for same in kept.values() for line in same]


def _list_lines(items: Iterable[LTItem]) -> Iterator[Line]:
    for item in items:
        if isinstance(item, LTTextLine):
            yield Line(" ".join(item.get_text().split()), item.x0, item.x1, item.y0, item.y1)
        elif isinstance(item, LTFigure):
            yield from _join_characters(item)
        elif isinstance(item, Iterable):
            yield from _list_lines(item)


def _join_characters(figure: LTFigure) -> Iterator[Line]:
    """Yield the lines of a figure, whose characters pdfminer leaves alone."""
    from pdfminer.layout import LAParams, LTChar, LTLayoutContainer

    characters = [item for item in figure if isinstance(item, LTChar)]
    if characters:
        container = LTLayoutContainer(figure.bbox)
        container.extend(characters)
        container.analyze(LAParams(boxes_flow=None))
        yield from _list_lines(container)
    yield from _list_lines(item for item in figure if isinstance(item, LTFigure))


def _split_columns(lines: list[Line], *, depth: int) -> list[list[Line]]:
    """Return the lines in blocks that are read one after the other."""
    gutter = _find_gutter(lines) if depth < MAX_DEPTH else None
    if gutter is None:
        return [lines]
    blocks: list[list[Line]] = []
    ordered = sorted(lines, key=lambda line: -line.y1)
    for is_spanning, group in groupby(ordered, key=lambda line: line.x0 < gutter < line.x1):
        run = list(group)
        if is_spanning:
            blocks.append(run)
        else:
            blocks += _split_columns([line for line in run if line.x1 <= gutter], depth=depth + 1)
            blocks += _split_columns([line for line in run if line.x0 >= gutter], depth=depth + 1)
    return blocks


def _find_gutter(lines: Sequence[Line]) -> float | None:
    """Return the middle of the strip that separates two columns of prose, None if there is none."""
    best, best_count = None, 0
    for edge in sorted({round(line.x1) for line in lines}):
        left = [line for line in lines if line.x1 <= edge + 1]
        right = [line for line in lines if line.x0 >= edge + MIN_GUTTER]
        count = min(len(left), len(right))
        spanning = len(lines) - len(left) - len(right)
        if count > best_count and spanning <= MAX_SPANNING_SHARE * len(lines) and _are_columns(left, right):
            best, best_count = (edge + min(line.x0 for line in right)) / 2, count
    return best


def _are_columns(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Return True if both sides are prose beside each other, and not the cells of a table."""
    if min(len(left), len(right)) < MIN_COLUMN_LINES:
        return False
    shared = min(_find_top(left), _find_top(right)) - max(_find_bottom(left), _find_bottom(right))
    shorter = min(_find_top(side) - _find_bottom(side) for side in (left, right))
    return shared > shorter / 2 and all(
        median(line.width_in_chars for line in side) >= MIN_LINE_CHARS for side in (left, right)
    )


def _find_top(lines: Sequence[Line]) -> float:
    return max(line.y1 for line in lines)


def _find_bottom(lines: Sequence[Line]) -> float:
    return min(line.y0 for line in lines)


def _write_block(lines: Iterable[Line]) -> str:
    """Return the text of a block: rows from top to bottom; cells of rows under each other are separated by bars."""
    rows = _group_rows(lines)
    text = ""
    for index, row in enumerate(rows):
        if index:
            gap = _find_bottom(rows[index - 1]) - _find_top(row)
            text += "\n\n" if gap > PARAGRAPH_GAP * max(line.height for line in row) else "\n"
        neighbours = rows[max(0, index - 1) : index] + rows[index + 1 : index + 2]
        is_table = len(row) > 1 and any(len(row) == len(other) for other in neighbours)
        text += (" | " if is_table else " ").join(line.text for line in row)
    return text


def _group_rows(lines: Iterable[Line]) -> list[list[Line]]:
    """Return the lines as rows; lines of one row overlap by half of their height."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (-line.y1, line.x0)):
        last = rows[-1][0] if rows else None
        if last and min(last.y1, line.y1) - max(last.y0, line.y0) > min(last.height, line.height) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]
