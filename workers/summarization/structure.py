"""Structure of a document: its headings with their paths, and the blocks that a split should keep whole.

Splitting works on a *masked* copy of the text: private-use characters replace line ends and spaces inside fenced code
and tables, one for one, so that offsets stay valid and no separator matches inside a block.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

DocumentFormat = Literal["markdown", "text"]

# Replacement characters of a masked text.
ROW = "\ue000"  # a line end inside a table or a fenced block
GAP = "\ue001"  # a space inside such a block
EDGE = "\ue002"  # the line end before such a block, and its last one
GLUE = "\ue003"  # a line end between a heading and the first words below it
UNMASK = str.maketrans({ROW: "\n", GAP: " ", EDGE: "\n", GLUE: "\n"})

_MASK = str.maketrans({"\n": ROW, " ": GAP})
# Replacement characters in the document itself would be unmasked into white space.
_FOREIGN = str.maketrans(dict.fromkeys((ROW, GAP, EDGE, GLUE), "\ufffd"))
_GLUED = str.maketrans({"\n": GLUE, EDGE: GLUE})
_BLANKS = re.compile(rf"[ \t\n{EDGE}]*")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\|[^\n]*(?:\n[ \t]*\|[^\n]*)+", re.MULTILINE)
_HEADING = re.compile(rf"(?:^|(?<={EDGE})) {{0,3}}(#{{1,6}})(?=[ \t\n{EDGE}]|\Z)([^\n{EDGE}]*)", re.MULTILINE)
_CLOSING_HASHES = re.compile(r"(?:^|[ \t])#+\Z")


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading line.

    Args:
        start: offset of the first hash.
        end: offset after the line's last character.
        level: 1 to 6.
        title: text without hashes.
        path: titles of the enclosing headings, outermost first, and its own title.
    """

    start: int
    end: int
    level: int
    title: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """Headings and masked text of a document.

    Args:
        masked: masked copy, with the offsets of the text.
        headings: in order of appearance; none in plain text.
    """

    masked: str
    headings: tuple[Heading, ...]

    def path_at(self, offset: int) -> tuple[str, ...]:
        """Return the path of the last heading that starts at or before an offset."""
        position = bisect_right(self.headings, offset, key=_get_start)
        return self.headings[position - 1].path if position else ()

    def headings_within(self, span: tuple[int, int]) -> tuple[Heading, ...]:
        """Return the headings that start within a span."""
        first = bisect_left(self.headings, span[0], key=_get_start)
        return self.headings[first : bisect_left(self.headings, span[1], key=_get_start)]

    def leading_headings(self, start: int, end: int) -> tuple[Heading, ...]:
        """Return the headings at the beginning of a span, before any other text."""
        found: list[Heading] = []
        for heading in self.headings_within((start, end)):
            if heading.end > end or not is_blank(self.masked[start : heading.start]):
                break
            found.append(heading)
            start = heading.end
        return tuple(found)


def read_structure(text: str, document_format: DocumentFormat) -> Structure:
    """Find the headings of a Markdown text and mask tables and fenced blocks of any text."""
    masked = text.translate(_FOREIGN)
    masked = _mask_blocks(masked, _find_fences(masked))
    masked = _mask_blocks(masked, (match.span() for match in _TABLE.finditer(masked)))
    headings = tuple(_find_headings(masked)) if document_format == "markdown" else ()
    return Structure(masked=_glue_headings(masked, headings), headings=headings)


def is_blank(text: str) -> bool:
    """Tell whether a masked or plain text is only white space."""
    return not text.translate(UNMASK).strip()


def strip_headings(body: str, titles: tuple[str, ...]) -> str:
    """Remove the leading heading lines of a Markdown text whose titles are among ``titles``."""
    while (match := _HEADING.match(body)) and _clean_title(match[2]) in titles:
        body = body[match.end() :].lstrip("\n")
    return body


def _find_headings(masked: str) -> Iterator[Heading]:
    stack: list[tuple[int, str]] = []
    for match in _HEADING.finditer(masked):
        level, title = len(match[1]), _clean_title(match[2])
        while stack and stack[-1][0] >= level:
            stack.pop()
        stack.append((level, title))
        path = tuple(name for _, name in stack if name)
        yield Heading(start=match.start(1), end=match.end(), level=level, title=title, path=path)


def _clean_title(words: str) -> str:
    return _CLOSING_HASHES.sub("", words.strip()).strip()


def _find_fences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of fenced code; an unclosed fence is ordinary text."""
    fences = list(_FENCE.finditer(text))
    # Shortest unclosed opening per fence character; keeps a text full of stray fences linear.
    hopeless: dict[str, int] = {}
    number = 0
    while number < len(fences):
        mark = fences[number][1]
        closing = None
        if len(mark) < hopeless.get(mark[0], len(text)):
            later = range(number + 1, len(fences))
            closing = next((other for other in later if _closes(fences[other], mark)), None)
            if closing is None:
                hopeless[mark[0]] = len(mark)
        if closing is not None:
            yield fences[number].start(), fences[closing].end()
            number = closing
        number += 1


def _closes(fence: re.Match[str], mark: str) -> bool:
    return fence[1].startswith(mark) and not fence[2].strip()


def _mask_blocks(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start].removesuffix("\n"), EDGE if text[position:start].endswith("\n") else "")
        pieces.append(text[start:end].translate(_MASK))
        position = end
        if text.startswith("\n", end):
            pieces.append(EDGE)
            position += 1
    return "".join((*pieces, text[position:]))


def _glue_headings(masked: str, headings: tuple[Heading, ...]) -> str:
    """Mask the line ends after each heading, so that no chunk ends with a heading."""
    pieces: list[str] = []
    position = 0
    for heading in headings:
        below = _BLANKS.match(masked, heading.end)
        end = below.end() if below else heading.end
        pieces += (masked[position : heading.end], masked[heading.end : end].translate(_GLUED))
        position = end
    return "".join((*pieces, masked[position:]))


def _get_start(heading: Heading) -> int:
    return heading.start
