"""Reading order of a PDF page: columns one after the other, lines that span them in between, rows of tables as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median

from pdfminer.layout import LTFigure, LTItem, LTTextLine

from producer.sources.formats.pdf_lines import Line, find_bottom, find_top
from producer.sources.formats.pdf_paragraphs import find_seam, write_block

# Width of the empty strip between two columns, in points.
MIN_GUTTER = 6.0
# Lines of a column, and characters of its typical line; narrower columns are those of a table.
MIN_COLUMN_LINES = 4
MIN_LINE_CHARS = 16
# Share of the lines that may span the columns: a title, footnotes, wide tables.
MAX_SPANNING_SHARE = 0.5
# Points by which a line that is drawn twice is shifted.
DOUBLE_SHIFT = 1.5
# Columns within columns: three columns are found as one and two.
MAX_DEPTH = 4
# Lines of a page from which the search for columns would take too long; such a page is a table or a map.
MAX_LINES = 2000


def lay_out_lines(found: Iterable[Line]) -> str:
    """Return the text of lines in reading order; a blank line separates paragraphs."""
    lines = _drop_doubles(line for line in found if line.text)
    blocks = [lines] if len(lines) > MAX_LINES else _split_columns(lines, depth=0)
    text, last = "", blocks[0]
    for block in filter(None, blocks):
        # A block that begins above the end of the last one is the next column.
        is_column = find_top(block) > find_bottom(last)
        part = write_block(block)
        text += (find_seam(text, part) if is_column else "\n\n") + part if text else part
        last = block
    return text


def _drop_doubles(lines: Iterable[Line]) -> list[Line]:
    """Return lines without those that are drawn again at nearly the same place to look bold."""
    kept: dict[str, list[Line]] = {}
    for line in lines:
        same = kept.setdefault(line.text, [])
        if all(abs(line.x0 - other.x0) > DOUBLE_SHIFT or abs(line.y0 - other.y0) > DOUBLE_SHIFT for other in same):
            same.append(line)
    return [line for same in kept.values() for line in same]


def list_lines(items: Iterable[LTItem]) -> Iterator[Line]:
    """Yield the lines of a page, those of its figures included."""
    for item in items:
        if isinstance(item, LTTextLine):
            yield Line(" ".join(item.get_text().split()), item.x0, item.x1, item.y0, item.y1)
        elif isinstance(item, LTFigure):
            yield from _join_characters(item)
        elif isinstance(item, Iterable):
            yield from list_lines(item)


def _join_characters(figure: LTFigure) -> Iterator[Line]:
    """Yield the lines of a figure, whose characters pdfminer leaves alone."""
    from pdfminer.layout import LAParams, LTChar, LTLayoutContainer

    characters = [item for item in figure if isinstance(item, LTChar)]
    if characters:
        container = LTLayoutContainer(figure.bbox)
        container.extend(characters)
        container.analyze(LAParams(boxes_flow=None))
        yield from list_lines(container)
    yield from list_lines(item for item in figure if isinstance(item, LTFigure))


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
    shared = min(find_top(left), find_top(right)) - max(find_bottom(left), find_bottom(right))
    shorter = min(find_top(side) - find_bottom(side) for side in (left, right))
    return shared > shorter / 2 and all(
        median(line.width_in_chars for line in side) >= MIN_LINE_CHARS for side in (left, right)
    )
