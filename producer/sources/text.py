"""Normalization of plain and Markdown text: line ends, characters, front matter and title."""

from __future__ import annotations

import re

from producer.errors import UnreadableError
from producer.sources.characters import normalize_characters
from producer.sources.source import Content, TextFormat

FRONT_MATTER = re.compile(r"\A---\n((?:[\w-]+:[ \t]+\S.*\n)+)---\n")
TOP_HEADING = re.compile(r"^(?:# +(.+?)[ #]*|(\S.*)\n=+ *)$", re.M)
FENCED_CODE = re.compile(r"^(```+|~~~+).*?(?:^\1|\Z)", re.M | re.S)
# Markdown structure: a heading, a fence or the delimiter row of a table.
MARKDOWN_SIGN = re.compile(r"^(#{1,6} \S|```|\|? ?:?-{3,}:? ?\|)", re.M)


def normalize_text(text: str) -> str:
    """Return the text with line feeds as line ends, without a byte order mark, its characters in their normal form.

    Raises:
        UnreadableError: it holds NUL or lone surrogates, which Postgres cannot store.
    """
    if "\0" in text:
        raise UnreadableError("holds NUL characters, so it is binary or damaged; give clean text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableError("holds broken Unicode (lone surrogates); save it again as UTF-8") from error
    return normalize_characters(text.replace("\r\n", "\n").replace("\r", "\n"))


def clean_label(label: str, *, max_chars: int = 1000) -> str:
    """Return a name, title or metadata value as one line of valid UTF-8 without NUL."""
    printable = normalize_characters(label.encode("utf-8", "replace").decode().replace("\0", "\ufffd"))
    line = " ".join(printable.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


def read_markdown(text: str) -> Content:
    """Return Markdown as content; flat ``key: value`` front matter becomes metadata."""
    text = normalize_text(text)
    metadata = {}
    if front := FRONT_MATTER.match(text):
        text = text[front.end() :]
        pairs = (line.split(":", 1) for line in front[1].splitlines())
        metadata = {key: clean_label(value.strip().strip("\"'")) for key, value in pairs}
    return Content(text, "markdown", metadata.pop("title", "") or find_title(text), metadata)


def read_plain_text(text: str) -> Content:
    """Return plain text as content."""
    return Content(normalize_text(text), "text")


def find_title(markdown: str) -> str:
    """Return the only top-level heading of a Markdown text, "" if it has none or several (chapters)."""
    titles = [clean_label(match[1] or match[2]) for match in TOP_HEADING.finditer(FENCED_CODE.sub("", markdown))]
    return titles[0] if len(titles) == 1 else ""


def guess_format(text: str) -> TextFormat:
    """Return "markdown" for a text with Markdown structure, else "text"."""
    return "markdown" if MARKDOWN_SIGN.search(text) else "text"


def read_unknown_text(text: str) -> Content:
    """Return text of unknown format as Markdown or plain text."""
    return read_markdown(text) if guess_format(text) == "markdown" else read_plain_text(text)
