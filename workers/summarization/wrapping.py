"""Wrapped lines: the line ends that a text has only because its lines were too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from workers.summarization.prose import ENDS, WRAPPED_LINE, find_paragraphs

# Two spaces or a backslash before a line end keep it, in Markdown.
_KEPT = re.compile(r"(?: {2}|\\)\Z")
_FIRST_LETTER = re.compile(r"[^\W\d_]")
_LINE = re.compile(r"[^\n]+")
_INDENT = re.compile(r"[ \t]*")


def unwrap(text: str) -> str:
    """Return a text with one space for each wrap and the indentation of the line behind it."""
    pieces: list[str] = []
    end = 0
    for wrap in _find_wraps(text):
        pieces += [text[end:wrap].rstrip(" \t"), " "]
        end = _INDENT.match(text, wrap + 1).end()  # type: ignore[union-attr]  # it matches everything
    return "".join((*pieces, text[end:]))


def mask_wraps(text: str) -> str:
    """Return a text with a space for each wrap, so that its sentences are whole and every offset stays as it is."""
    pieces: list[str] = []
    end = 0
    for wrap in _find_wraps(text):
        pieces += [text[end:wrap], " "]
        end = wrap + 1
    return "".join((*pieces, text[end:]))


def _find_wraps(text: str) -> Iterator[int]:
    """Yield the offsets of the line ends within the sentences of a text.

    A paragraph is wrapped if most of its lines that follow one without a full stop begin in lower case. A paragraph
    that begins in lower case itself is not: there each line may be an utterance, an item or code.
    """
    for (start, end), is_heading in find_paragraphs(text):
        lines = list(_LINE.finditer(text, start, end))
        if is_heading or len(lines) < 2 or not _is_wrapped([line[0] for line in lines]):
            continue
        for line in lines[:-1]:
            if len(line[0].rstrip()) in WRAPPED_LINE and not _KEPT.search(line[0]):
                yield line.end()


def _is_wrapped(lines: list[str]) -> bool:
    first = _FIRST_LETTER.search(lines[0])
    if first is None or not first[0].isupper():
        return False
    following = [line.lstrip()[:1].islower() for last, line in pairwise(lines) if not ENDS.search(last.rstrip())]
    return 0 < len(following) <= 2 * sum(following)
