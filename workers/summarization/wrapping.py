"""Wrapped lines: the line ends that a text has only because its lines were too long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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

    A paragraph that begins in upper case is wrapped if most of its lines that follow one without a full stop begin in
    lower case; in another each line may be an utterance, an item or code. So is any paragraph of which no line had room
    for the next word, by the longest line of those.
    """
    paragraphs = [
        list(_LINE.finditer(text, start, end)) for (start, end), is_heading in find_paragraphs(text) if not is_heading
    ]
    found = [(lines, [line[0].rstrip() for line in lines]) for lines in paragraphs if len(lines) > 1]
    ends = (end for _, texts in found if _goes_on_in_lower_case(texts) for end in texts[:-1])
    width = max(map(len, ends), default=0)
    for lines, texts in found:
        if _goes_on_in_lower_case(texts) or _fills(texts, width):
            for line, end in zip(lines[:-1], texts, strict=False):
                if len(end) in WRAPPED_LINE and not _KEPT.search(line[0]):
                    yield line.end()


def _goes_on_in_lower_case(lines: Sequence[str]) -> bool:
    """Tell whether a paragraph begins in upper case, and most lines that go on with a sentence in lower case."""
    first = _FIRST_LETTER.search(lines[0])
    following = [line.lstrip()[:1].islower() for last, line in pairwise(lines) if not ENDS.search(last)]
    return first is not None and first[0].isupper() and 0 < len(following) <= 2 * sum(following)


def _fills(lines: Sequence[str], width: int) -> bool:
    """Tell whether no line but the last had room for the first word of the next one."""
    return all(len(last) <= width < len(last) + 1 + len(line.split(maxsplit=1)[0]) for last, line in pairwise(lines))
