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
    from markdown_it.token import Token

# Lines without which a text has no heading of the first level; most texts need no parser.
_TOP_HEADING = re.compile(r"^ {0,3}(?:#(?=[ \t]|$)|=+[ \t]*$)", re.MULTILINE)

# Lines of a paragraph or table behind its first one, and items between the first and the last of a list: they change no
# block outside, and most of a text is such lines. A run before an underline, of a heading or a table, stays.
_PLAIN = r"(?:[^\W\d_]|[(\"]|\|(?![-: \t]*-))[^\n<>]*+\n"
_RUN = re.compile(rf"^( {{0,3}}{_PLAIN})(?:[ \t]*+{_PLAIN})++(?! {{0,3}}[-=|:][-=|: \t]*+$)", re.MULTILINE)
_ITEMS = re.compile(r"^( {0,3}[-*+] )([^\W\d_][^\n<>]*+\n)(?:\1[^\W\d_][^\n<>]*+\n)++(?=\1[^\W\d_])", re.MULTILINE)

# Spaces before a fence; with more it is indented code.
MAX_INDENT = 3
# Openings of a fence, of a comment at the margin, and of HTML, also in lists and quotations.
_OPENING = re.compile(
    r"^(?:(?P<indent> {0,3})(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})|(?P<comment><!--)|[ \t>*+\-\d.)]*+<)", re.MULTILINE
)
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n|\Z)")
# What does not let HTML end at a blank line, or may be a fence or a comment in it.
_UNCERTAIN = re.compile(r"```|~~~|<(?:[!?]|script|pre|style|textarea)", re.IGNORECASE)
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
    """Return a text without the lines of its fenced code, if they are known without a parser."""
    pieces, position = [], 0
    for start, end in scan_fences(markdown) or ():
        indent = " " * (len(markdown[start:end]) - len(markdown[start:end].lstrip(" ")))
        pieces += [markdown[position:start], f"{indent}```\n{indent}```\n"]
        position = end
    return "".join([*pieces, markdown[position:]])


def _list_headings(markdown: str) -> list[str]:
    headings = _parse_headings(_ITEMS.sub(r"\1\2", _RUN.sub(r"\1", markdown)))
    # An underlined heading may have lines that were left out.
    if any(heading.markup == "=" for heading, _ in headings):
        headings = _parse_headings(markdown)
    return [_read_inline(content.content) for _, content in headings]


def _parse_headings(markdown: str) -> list[tuple[Token, Token]]:
    """Return the headings of the first level that stand in no list or quotation, with their contents."""
    tokens = load_block_parser().parse(markdown)
    return [
        (token, tokens[place + 1])
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
    fences = None if _INDENTED_COMMENT.search(markdown, 0, end + 4) else scan_fences(markdown[: end + 4])
    if fences is not None:
        return fences
    starts = list(accumulate((len(line) + 1 for line in markdown.split("\n")), initial=0))
    # Code depends on nothing behind the beginning of the last comment.
    tokens = load_block_parser().parse(markdown[: end + 1])
    return [
        (starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)])
        for token in tokens
        if token.type in ("fence", "code_block") and token.map
    ]


def scan_fences(markdown: str) -> list[tuple[int, int]] | None:
    """Return the spans of the fenced code that is indented less than code is; None if only a parser can tell."""
    fences = []
    position = 0
    while opening := _OPENING.search(markdown, position):
        end = _find_end(markdown, opening)
        if end is None:
            return None
        position = (markdown.find("\n", end) + 1) or len(markdown)
        if opening["fence"]:
            fences.append((opening.start(), position))
    return fences


def _find_end(markdown: str, opening: re.Match[str]) -> int | None:
    """Return an offset in the last line of a fence, a comment or HTML; None if only a parser can tell."""
    if fence := opening["fence"]:
        return _find_closing(markdown, opening.end(), fence, indent=opening["indent"])
    if opening["comment"]:
        end = markdown.find("-->", opening.start() + 2)
        return len(markdown) if end < 0 else end
    blank = _BLANK_LINE.search(markdown, opening.end())
    end = blank.start() if blank else len(markdown)
    return None if _UNCERTAIN.search(markdown, opening.end() - 1, end) else end


def _find_closing(markdown: str, position: int, fence: str, *, indent: str) -> int | None:
    """Return the end of a fence; None if it depends on whether the fence, which is indented, stands in a list."""
    depth = "*" if indent else "{0,3}"
    closing = re.compile(rf"^( {depth}){fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE).search(markdown, position)
    if not indent:
        return closing.end() if closing else len(markdown)
    if closing is None or not len(indent) <= len(closing[1]) <= MAX_INDENT:
        return None
    outside = re.compile(rf"^(?!{indent}|[ \t]*$)", re.MULTILINE)
    return None if outside.search(markdown, position, closing.start()) else closing.end()


def _read_inline(content: str) -> str:
    (line,) = _load_inline_parser().parseInline(" ".join(content.split()))
    return "".join(token.content for token in line.children or () if token.type in ("text", "code_inline")).strip()


@cache
def load_block_parser() -> MarkdownIt:
    """Return a parser of blocks; what stands in them is not parsed."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")


@cache
def _load_inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
