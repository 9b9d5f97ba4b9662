"""Inline marks of Markdown: emphasis and the targets of links and pictures, which a reader of the page does not see.

A CommonMark parser finds them. What may be something else than a mark stays: formulas, escapes, tags, marks within
words, links whose target is no address, lines in bold alone, which serve as headings, and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from producer.sources.markdown import load_block_parser

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARK = re.compile(r"[*_\[<]")
_BOLD_ALONE = re.compile(r"(?:\*\*[^\n]*\*\*|__[^\n]*__):?")
_FORMULA = re.compile(r"\$[^$]*\$|\\")
_ADDRESS = re.compile(r"[/#:]|\.\w")
_DEFINITION = re.compile(r"[ \t>]*\[")
_WORD = re.compile(r"[^\W_]+")
# The beginning of a line that is a heading, an item, a rule, an underline, a quotation or a fence.
_BLOCK = re.compile(r"\s*(?:#{1,6}(?:\s|\Z)|[-*+](?:\s|\Z)|\d+[.)](?:\s|\Z)|>|(?:=+|-+|_+|\*+)\s*\Z|`{3}|~{3})")
# A paragraph with more characters, or more brackets, is no prose, and its marks would take long to find.
MAX_CHARACTERS, MAX_BRACKETS = 20_000, 500
# Words of the description of a picture that is a link: with fewer it is a badge.
MIN_DESCRIPTION = 4


def drop_marks(markdown: str) -> str:
    """Return a Markdown text without the inline marks of its paragraphs and headings.

    A link is its text, a picture its description of several words; the definitions of their targets go.

    Args:
        markdown: text with line feeds as line ends.
    """
    if not _MARK.search(markdown):
        return markdown
    environment: dict[str, Any] = {}
    tokens = load_block_parser().parse(markdown, environment)
    definitions = environment.setdefault("references", {})
    for label in [label for label, one in definitions.items() if label[:1] == "^" or not _is_address(one["href"])]:
        del definitions[label]
    lines: list[str | None] = list(markdown.split("\n"))
    for before, token in pairwise(tokens):
        if token.type == "inline" and token.map and before.tag not in ("td", "th") and _MARK.search(token.content):
            is_title = before.type == "paragraph_open" and not before.level and _BOLD_ALONE.fullmatch(token.content)
            plain = None if is_title else _read_plain(token.content, environment)
            if plain is not None:
                _replace(lines, token.map[0], token.content.split("\n"), plain.split("\n"))
    for one in [*definitions.values(), *environment.get("duplicate_refs", ())]:
        first, last = one["map"]
        if _is_address(one["href"]) and _DEFINITION.match(lines[first] or ""):
            lines[first:last] = [None] * (last - first)
    return "\n".join(line for line in lines if line is not None)


def _replace(lines: list[str | None], first: int, old: Sequence[str], new: Sequence[str]) -> None:
    """Replace the text of a block in its lines, unless a line would begin another block, or end this one."""
    pairs = list(zip(old, new, strict=False))
    is_cut = len(new) > 1 and any(before.strip() and not after.strip() for before, after in pairs)
    becomes_block = any(_BLOCK.match(after) and not _BLOCK.match(before) for before, after in pairs)
    if len(old) != len(new) or is_cut or becomes_block:
        return
    replaced: list[str] = []
    for number, (before, after) in enumerate(pairs, first):
        head, found, tail = (lines[number] or "").partition(before.strip())
        if not found:
            return
        replaced.append(head + after.strip() + tail)
    lines[first : first + len(old)] = replaced


def _read_plain(content: str, environment: dict[str, Any]) -> str | None:
    """Return the text of a block without its marks; None if it has to stay as it is."""
    if len(content) > MAX_CHARACTERS or content.count("[") > MAX_BRACKETS or _FORMULA.search(content):
        return None
    (line,) = _load_inline_parser().parseInline(content, environment)
    tokens = line.children or []
    targets = [str(token.attrs.get("href", token.attrs.get("src", ""))) for token in tokens if token.attrs]
    if not all(map(_is_address, targets)):
        return None
    plain = "".join(_read_tokens(tokens))
    # Emphasis within a word may be a product or a pattern.
    words = iter(_WORD.findall(content))
    return plain if all(word in words for word in _WORD.findall(plain)) else None


def _read_tokens(tokens: Sequence[Token]) -> Iterator[str]:
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        match token.type:
            case "text" | "html_inline":
                yield token.content
            case "text_special":
                yield token.markup
            case "code_inline":
                gap = " " * ("`" in (token.content[0], token.content[-1]))
                yield token.markup + gap + token.content + gap + token.markup
            case "softbreak" | "hardbreak":
                yield "\n"
            case "image":
                description = "".join(_read_tokens(token.children or ()))
                yield description if len(description.split()) >= (MIN_DESCRIPTION if depth else 2) else ""


def _is_address(target: str) -> bool:
    return _ADDRESS.search(target) is not None


@cache
def _load_inline_parser() -> MarkdownIt:
    """Return a parser of the marks in a block."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable("text_join")
    # Its words are read, whatever a link leads to.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser
