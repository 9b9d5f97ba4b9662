"""Structure of a document: its headings with their paths, and the blocks that a split should keep whole.

Splitting works on a *masked* copy of the text: private-use characters replace line ends and spaces inside fenced code
and tables, one for one, so that offsets stay valid and no separator matches inside a block.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

DocumentFormat = Literal["markdown", "text"]

# Replacement characters of a masked text.
ROW = "\ue000"  # a line end inside a table or a fenced block
GAP = "\ue001"  # a space inside such a block
EDGE = "\ue002"  # the line end before such a block, and its last one
GLUE = "\ue003"  # a line end between a heading and the first words below it
HEADS = "\ue011\ue012\ue013\ue014\ue015\ue016"  # the line end before a heading, by its level
LINE_ENDS = dict.fromkeys((ROW, EDGE, GLUE, *HEADS), "\n")
UNMASK = str.maketrans({GAP: " ", **LINE_ENDS})

# A longer line that is underlined is a paragraph before a rule.
MAX_UNDERLINED_CHARACTERS = 200

_MASK = str.maketrans({"\n": ROW, " ": GAP})
# Replacement characters in the document itself would be unmasked into white space.
_FOREIGN = str.maketrans(dict.fromkeys((GAP, *LINE_ENDS), "\ufffd"))
_GLUED = str.maketrans(dict.fromkeys(("\n", EDGE, *HEADS), GLUE))
_BLANKS = re.compile(rf"[ \t\n{EDGE}{HEADS}]*")
_LINE_END = re.compile(r"\n")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\|[^\n]*(?:\n[ \t]*\|[^\n]*)+", re.MULTILINE)
# Lines that may open, underline or fence: a text without them has no structure to parse.
_SIGN = re.compile(r"^ {0,3}(?:#{1,6}(?=[ \t]|$)|(?:=++|-++)[ \t]*+$)|^[-*+>\d.) \t]*+(?:```|~~~)", re.MULTILINE)
# A heading at the beginning of a text, with the line under it if that may be its underline.
_FIRST_BLOCK = re.compile(r"(?: {0,3}#[^\n]*+|(?:[ \t]*+\S[^\n]*+\n){1,4}? {0,3}(?:=++|-++)[ \t]*+)(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading line.

    Args:
        start: offset of the first hash, or of the first word if the heading is underlined.
        end: offset after the last character of its last line.
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
    if document_format == "markdown":
        headings, fences = _parse_blocks(masked)
    else:
        headings, fences = (), list(_find_fences(masked))
    masked = _mask_blocks(masked, fences)
    masked = _mask_blocks(masked, (match.span() for match in _TABLE.finditer(masked)))
    return Structure(masked=_glue_headings(_mark_headings(masked, headings), headings), headings=headings)


def is_blank(text: str) -> bool:
    """Tell whether a masked or plain text is only white space."""
    return not text.translate(UNMASK).strip()


# Lines of a paragraph or table behind its first one change no block outside, and most of a text is such lines. A run
# before an underline, of a heading or a table, stays.
_PLAIN = r"(?:[^\W\d_]|[(\"]|\|(?![-: \t]*-))[^\n<>]*+\n"
_RUN = re.compile(rf"^( {{0,3}}{_PLAIN})(?:[ \t]*+{_PLAIN})++(?! {{0,3}}[-=|:][-=|: \t]*+$)", re.MULTILINE)


def _shorten(text: str) -> tuple[str, list[int]]:
    """Return a text without the lines that a parser of blocks need not see, and where its lines begin in the whole."""
    pieces: list[str] = []
    starts = [0]
    position = 0
    for run in _RUN.finditer(text):
        pieces.append(text[position : run.end(1)])
        starts += [match.end() for match in _LINE_END.finditer(text, position, run.end(1) - 1)]
        starts.append(run.end())
        position = run.end()
    starts += [match.end() for match in _LINE_END.finditer(text, position)]
    return "".join((*pieces, text[position:])), [*starts, len(text) + 1]


def find_headings(text: str, document_format: DocumentFormat) -> tuple[Heading, ...]:
    """Return the headings of a text in order; none in plain text."""
    return _parse_blocks(text.translate(_FOREIGN))[0] if document_format == "markdown" else ()


def strip_headings(body: str, titles: tuple[str, ...]) -> str:
    """Remove the leading headings of a Markdown text whose titles are among ``titles``."""
    while (block := _FIRST_BLOCK.match(body)) and (headings := _parse_blocks(block[0])[0]):
        if headings[0].title not in titles or not is_blank(body[: headings[0].start]):
            break
        body = body[headings[0].end :].lstrip("\n")
    return body


def _parse_blocks(text: str) -> tuple[tuple[Heading, ...], list[tuple[int, int]]]:
    """Return the headings that stand in no list or quotation, and the spans of all fenced code, by CommonMark."""
    if not _SIGN.search(text):
        return (), []
    # A carriage return would be another line end.
    short, starts = _shorten(text.replace("\r", " "))
    tokens = _load_parser().parse(short)
    lines = [
        (starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)] - 1) if token.map else (0, 0)
        for token in tokens
    ]
    fences = [span for token, span in zip(tokens, lines, strict=True) if token.type == "fence"]
    found = (
        (int(token.tag[1]), _read_title(text[slice(*lines[place])], token, tokens[place + 1]), lines[place])
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    )
    kept = (heading for heading in found if len(heading[1]) <= MAX_UNDERLINED_CHARACTERS or text[heading[2][0]] == "#")
    return tuple(_nest_headings(text, kept)), _merge(fences)


def _read_title(lines: str, heading: Token, content: Token) -> str:
    """Return the title of a heading; that of an underlined one may have lines that the parser has not seen."""
    return " ".join((content.content if heading.markup[0] == "#" else lines.strip().rpartition("\n")[0]).split())


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, without those within another."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not merged or start >= merged[-1][1]:
            merged.append((start, end))
    return merged


def _nest_headings(text: str, found: Iterable[tuple[int, str, tuple[int, int]]]) -> Iterator[Heading]:
    """Yield headings with their paths."""
    stack: list[tuple[int, str]] = []
    for level, title, (start, end) in found:
        while stack and stack[-1][0] >= level:
            stack.pop()
        stack.append((level, title))
        path = tuple(name for _, name in stack if name)
        end = start + len(text[start:end].rstrip("\n"))
        start += len(text[start:end]) - len(text[start:end].lstrip(" "))
        yield Heading(start=start, end=end, level=level, title=title, path=path)


@cache
def _load_parser() -> MarkdownIt:
    """Return a parser of blocks; what stands in them is not parsed."""
    return MarkdownIt("commonmark").enable("table").disable("inline")


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


def _mark_headings(masked: str, headings: tuple[Heading, ...]) -> str:
    """Mask the line end before each heading by the heading's level."""
    pieces: list[str] = []
    position = 0
    for heading in headings:
        before = masked.rfind("\n", position, heading.start)
        edge = masked.rfind(EDGE, position, heading.start)
        place = max(before, edge)
        if place >= position and not masked[place + 1 : heading.start].strip(" "):
            pieces += (masked[position:place], HEADS[heading.level - 1])
            position = place + 1
    return "".join((*pieces, masked[position:]))


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
