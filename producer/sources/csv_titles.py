"""Lines above the header of a CSV file: titles that a report has in one cell, and that are no names of columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from producer.sources.table import TEXT_NAMES
from producer.sources.table_lines import LongLine

# Candidate delimiters; the one most frequent in the header, outside quotes, is taken.
DELIMITERS = ",;\t|"
QUOTED = re.compile(r'"[^"]*"?')
# Lines behind the first among which the header is looked for.
PEEKED_LINES = 10


def find_delimiter(header: str) -> str:
    """Return the delimiter of a header."""
    return max(DELIMITERS, key=QUOTED.sub("", header).count)


def skip_titles(lines: Sequence[str], delimiter: str) -> tuple[list[str], list[str]]:
    """Return the titles above the header, and the lines from the header on.

    Titles are lines of one filled cell above at least two rows. Without empty cells beside them, as Excel writes, those
    rows must have the same number of cells, and a name that clearly means a text is no title: a single column may hold
    delimiters that are not in quotes.

    Args:
        lines: first lines of the file.
        delimiter: delimiter; "" takes that of each line.
    """
    if any(isinstance(line, LongLine) for line in lines):
        return [], list(lines)
    titles: list[str] = []
    is_padded = False
    for place, line in enumerate(lines):
        cells = _parse([line], delimiter or find_delimiter(line))[0]
        filled = [cell.strip() for cell in cells if cell.strip()]
        if len(filled) > 1:
            rows = _parse(lines[place:], delimiter or find_delimiter(line))
            is_header = len(rows) > 1 and (is_padded or len({len(row) for row in rows if row}) == 1)
            return (titles, list(lines[place:])) if is_header else ([], list(lines))
        if filled and len(cells) == 1 and filled[0].lower() in TEXT_NAMES:
            break
        is_padded = is_padded or len(cells) > 1
        titles += filled
    return [], list(lines)


def _parse(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the cells of lines; a last row whose quote never closes is left out."""
    is_open = sum(line.count('"') for line in lines) % 2 and len(lines) > 1
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    return rows[:-1] if is_open else rows or [[]]
