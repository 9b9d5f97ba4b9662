"""Normalization of plain and Markdown text: line ends, characters, front matter and title."""

from __future__ import annotations

import re

from producer.errors import UnreadableError
from producer.sources.characters import normalize_characters
from producer.sources.front_matter import split_front_matter
from producer.sources.markdown import drop_comments, find_only_heading
from producer.sources.markdown_marks import drop_marks
from producer.sources.source import Content, TextFormat

# Markdown structure: a heading, a fence, the delimiter row of a table, or a heading that is underlined.
MARKDOWN_SIGN = re.compile(r"^(#{1,6} \S|```|\|? ?:?-{3,}:? ?\||(?<=[^\n=]\n)===+[ \t]*$)", re.M)


# Pictures as data: in place, as HTML, and as the targets of references, as editors export them.
PICTURE = re.compile(r"!\[([^\]]*)\]\((?:data:|attachment:)[^)]*\)")
PICTURE_TAG = re.compile(r"""<img\b[^<>]{0,1000}\bsrc\s*=\s*["']?data:[^<>]*>""", re.I)
PICTURE_NAME = re.compile(r"!\[([^\]\n]*)\]\[([^\]\n]+)\]")
PICTURE_TARGET = re.compile(r"^ {0,3}\[([^\]\n]+)\]:[ \t]*<?data:image/[^\n]*\n?", re.M | re.I)


def normalize_text(text: str) -> str:
    """Return the text with line feeds as line ends, without a byte order mark, its characters in their normal form.

    Raises:
        UnreadableError: it holds NUL or lone surrogates, which Postgres cannot store.
    """
    if "\0" in text:
        raise UnreadableError("holds NUL characters, so it is binary or damaged; give clean text")
    try:
        return normalize_characters(text.replace("\r\n", "\n").replace("\r", "\n"))
    except UnicodeEncodeError as error:
        raise UnreadableError("holds broken Unicode (lone surrogates); save it again as UTF-8") from error


def clean_label(label: str, *, max_chars: int = 1000) -> str:
    """Return a name, title or metadata value as one line of valid UTF-8 without NUL."""
    printable = normalize_characters(label.encode("utf-8", "replace").decode().replace("\0", "\ufffd"))
    line = " ".join(printable.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


def read_markdown(text: str, *, is_guessed: bool = False) -> Content:
    """Return Markdown as content; front matter becomes metadata, comments and inline marks are left out.

    Args:
        text: the text.
        is_guessed: whether it may be something else, as a script with comments is; its marks stay.
    """
    front = split_front_matter(normalize_text(text))
    body = drop_pictures(drop_comments(front.text))
    metadata = {clean_label(key): clean_label(value) for key, value in front.values.items()}
    body = body if is_guessed else drop_marks(body)
    return Content(body, "markdown", metadata.pop("title", "") or find_title(body), metadata)


def drop_pictures(markdown: str) -> str:
    """Return Markdown with the descriptions of its pictures in the place of those whose data it holds."""
    if "data:" not in markdown and "attachment:" not in markdown:
        return markdown
    names = {name.lower() for name in PICTURE_TARGET.findall(markdown)}
    markdown = PICTURE_TAG.sub("", PICTURE.sub(r"\1", PICTURE_TARGET.sub("", markdown)))
    return PICTURE_NAME.sub(lambda match: match[1] if match[2].lower() in names else match[0], markdown)


def read_plain_text(text: str) -> Content:
    """Return plain text as content."""
    return Content(normalize_text(text), "text")


def find_title(markdown: str) -> str:
    """Return the only top-level heading of a Markdown text, "" if it has none or several (chapters)."""
    return clean_label(find_only_heading(markdown))


def guess_format(text: str) -> TextFormat:
    """Return "markdown" for a text with Markdown structure, else "text"."""
    is_markdown = MARKDOWN_SIGN.search(text) or split_front_matter(text).values
    return "markdown" if is_markdown else "text"


def read_unknown_text(text: str) -> Content:
    """Return text of unknown format as Markdown or plain text."""
    return read_markdown(text, is_guessed=True) if guess_format(text) == "markdown" else read_plain_text(text)
