"""Blocks of Markdown by a CommonMark parser: the title of a document, and comments, which no reader sees."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# Lines without which a text has no heading of the first level; most texts need no parser.
_TOP_HEADING = re.compile(r"^ {0,3}(?:#(?=[ \t]|$)|=+[ \t]*$)", re.MULTILINE)

# Lines of a paragraph or table behind its first one, and items between the first and the last of a list: they change no
# block outside, and most of a text is such lines. A run before an underline, of a heading or a table, stays.
_PLAIN = r"(?:[^\W\d_]|[(\"]|\|(?![-: \t]*-))[^\n<>]*+\n"
_RUN = re.compile(rf"^( {{0,3}}{_PLAIN})(?:[ \t]*+{_PLAIN})++(?! {{0,3}}[-=|:][-=|: \t]*+$)", re.MULTILINE)
_ITEMS = re.compile(r"^( {0,3}[-*+] )([^\W\d_][^\n<>]*+\n)(?:\1[^\W\d_][^\n<>]*+\n)++(?=\1[^\W\d_])", re.MULTILINE)

# Openings at the margin of a fence, which closes lists and quotations, and of a comment; and openings that stand in a
# list or in HTML, where only the parser knows what they are.
_OPENING = re.compile(r"^(?:(`{3,}(?=[^`\n]*$)|~{3,})|(<!--)|<| {1,3}(?:```|~~~|<))", re.MULTILINE)
# A line with a comment that may be code in a list or a quotation, or be indented code.
_INDENTED_COMMENT = re.compile(r"^[ \t>*+\-\d][^\n]*<!--", re.MULTILINE)


def find_only_heading(markdown: str) -> str:
    """Return the text of the only heading of the first level, without marks of emphasis and link targets.

    Returns:
        "" if there is none, or if there are several, as in a text of chapters.
    """
    markdown = _empty_fences(markdown)
    ends = [match.end() for match in _TOP_HEADING.finditer(markdown)]
    headings: list[str] = []
    # A heading depends on nothing behind its line, and two are enough to know.
    for end in dict.fromkeys((*ends[1:2], *ends[-1:])):
        headings = _list_headings(markdown[: markdown.find("\n", end) + 1 or None])
        if len(headings) > 1:
            return ""
    return "".join(headings)


def _empty_fences(markdown: str) -> str:
    """Return a text without the lines of its fenced code at the margin."""
    pieces, position = [], 0
    for start, end in _scan_fences(markdown) or ():
        pieces += [markdown[position:start], "```\n```\n"]
        position = end
    return "".join([*pieces, markdown[position:]])


def _list_headings(markdown: str) -> list[str]:
    tokens = _load_parser().parse(_ITEMS.sub(r"\1\2", _RUN.sub(r"\1", markdown)))
    return [
        _read_inline(tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h1" and token.level == 0
    ]


def drop_comments(markdown: str) -> str:
    """Return a text without HTML comments; those in code stay, and one that is never closed."""
    if "<!--" not in markdown:
        return markdown
    code = _find_code(markdown)
    kept, position = "", 0
    search = 0
    while (start := markdown.find("<!--", search)) >= 0 and (end := markdown.find("-->", start + 4)) >= 0:
        line = markdown.rfind("\n", 0, start) + 1
        place = bisect_right(code, start, key=itemgetter(0)) - 1
        if (place >= 0 and start < code[place][1]) or markdown.count("`", line, start) % 2:
            search = start + 4
            continue
        end += 3
        # A line that has nothing else goes with its end.
        if not markdown[line:start].strip() and markdown.startswith("\n", end):
            start, end = max(line, position), end + 1
        kept += markdown[position:start]
        position = search = end
    return kept + markdown[position:]


def _find_code(markdown: str) -> list[tuple[int, int]]:
    """Return the spans of fenced and indented code, also in lists and quotations, up to the last comment."""
    end = markdown.rfind("<!--")
    fences = None if _INDENTED_COMMENT.search(markdown, 0, end + 4) else _scan_fences(markdown[: end + 4])
    if fences is not None:
        return fences
    starts = list(accumulate((len(line) + 1 for line in markdown.split("\n")), initial=0))
    # Code depends on nothing behind the beginning of the last comment.
    tokens = _load_parser().parse(markdown[: end + 1])
    return [
        (starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)])
        for token in tokens
        if token.type in ("fence", "code_block") and token.map
    ]


def _scan_fences(markdown: str) -> list[tuple[int, int]] | None:
    """Return the spans of the fenced code at the margin, without a parser; None if only a parser can tell."""
    fences = []
    position = 0
    while opening := _OPENING.search(markdown, position):
        if fence := opening[1]:
            closing = re.compile(rf"^ {{0,3}}{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
            end = match.end() if (match := closing.search(markdown, opening.end())) else -1
        elif opening[2]:
            end = markdown.find("-->", opening.start() + 2)
        else:
            return None
        position = (end >= 0 and markdown.find("\n", end) + 1) or len(markdown)
        if fence:
            fences.append((opening.start(), position))
    return fences


def _read_inline(content: str) -> str:
    (line,) = _load_inline_parser().parseInline(" ".join(content.split()))
    return "".join(token.content for token in line.children or () if token.type in ("text", "code_inline")).strip()


@cache
def _load_parser() -> MarkdownIt:
    """Return a parser of blocks; what stands in them is not parsed."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")


@cache
def _load_inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
