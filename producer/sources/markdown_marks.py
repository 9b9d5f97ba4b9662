"""Inline marks of Markdown: emphasis, links and pictures give way to their words, as those of HTML do.

A CommonMark parser finds the marks; every line keeps its place, and code, formulas and lines in bold alone, which serve
as headings, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from producer.sources.markdown import load_block_parser

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARK = re.compile(r"[*_\[&\\<]")
_BOLD_ALONE = re.compile(r"(?:\*\*[^*\n]+\*\*|__[^_\n]+__):?")
_FORMULA = re.compile(r"\$[^$]+\$|\\[(\[]|\d\*+\w|\w\*+\d")
# Tags of HTML within a line that only say how it looks.
_TAG = re.compile(
    r"</?(a|abbr|b|big|br|center|cite|em|font|i|img|kbd|mark|small|span|strong|sub|sup|u)\b[^>]*>", re.IGNORECASE
)
# Characters that would be marks without the backslash before them.
_MEANT = "\\`*#<>|[]~=+-"
# With more brackets a paragraph is no prose, and its links would take long to find.
MAX_BRACKETS = 500


def drop_marks(markdown: str) -> str:
    """Return a Markdown text without the inline marks of its paragraphs, headings and tables.

    Emphasis goes, a link is its text, a picture its description, and one in a link, as a badge is, nothing.
    """
    if not _MARK.search(markdown):
        return markdown
    environment: dict[str, Any] = {}
    tokens = load_block_parser().parse(markdown, environment)
    lines: list[str | None] = list(markdown.split("\n"))
    place = (-1, 0)
    for before, token in pairwise(tokens):
        if token.type == "inline" and token.map and _MARK.search(token.content):
            is_title = before.type == "paragraph_open" and not before.level and _BOLD_ALONE.fullmatch(token.content)
            plain = None if is_title else _read_plain(token.content, environment)
            place = _replace(lines, token, plain, place)
    for first, last in _list_definitions(environment):
        lines[first:last] = [None] * (last - first)
    return "\n".join(line for line in lines if line is not None)


def _replace(lines: list[str | None], token: Token, plain: str | None, place: tuple[int, int]) -> tuple[int, int]:
    """Replace a token's content in its lines, and return the line and the column behind it.

    Args:
        lines: lines of the text.
        token: the token.
        plain: its text without marks, with as many line ends; None leaves it as it is.
        place: line and column behind the token before, which may stand in the same row of a table.
    """
    old = token.content.split("\n")
    new = old if plain is None else plain.split("\n")
    [first, _] = token.map or [0, 0]
    if len(old) != len(new):
        return place
    column = 0
    for number, (before, after) in enumerate(zip(old, new, strict=True), first):
        line = lines[number] or ""
        start = line.find(before.strip(), place[1] if number == place[0] else 0)
        if start < 0:
            return place
        column = start + len(after.strip())
        lines[number] = line[:start] + after.strip() + line[start + len(before.strip()) :]
    return first + len(old) - 1, column


def _read_plain(content: str, environment: dict[str, Any]) -> str | None:
    """Return the text of a paragraph without its marks; None if it has to stay as it is."""
    if _FORMULA.search(content) or content.count("[") > MAX_BRACKETS:
        return None
    (line,) = _load_inline().parseInline(content, environment)
    return "".join(_read_tokens(line.children or ()))


def _read_tokens(tokens: list[Token] | tuple[Token, ...]) -> Iterator[str]:
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        match token.type:
            case "text":
                yield token.content
            case "text_special":
                yield token.markup if token.content in _MEANT else token.content
            case "code_inline":
                gap = " " * ("`" in (token.content[0], token.content[-1]))
                yield token.markup + gap + token.content + gap + token.markup
            case "softbreak":
                yield "\n"
            case "hardbreak":
                yield "  \n"
            case "html_inline":
                tag = _TAG.fullmatch(token.content)
                yield token.content if tag is None else " " * (tag[1].lower() == "br")
            case "image" if not depth:
                yield token.content


def _list_definitions(environment: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield the lines of the definitions of links; what a footnote says stays."""
    definitions = [*environment.get("references", {}).items()]
    definitions += [(one["label"], one) for one in environment.get("duplicate_refs", ())]
    for label, definition in definitions:
        if not label.startswith("^"):
            yield tuple(definition["map"])


@cache
def _load_inline() -> MarkdownIt:
    """Return a parser of the marks in a block."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable("text_join")
    # Its words are read, whatever a link leads to.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser
