"""Words that are divided at the ends of lines and pages, as printed pages have them, in one piece."""

from __future__ import annotations

import re

# The mark of a page's beginning, which no text holds.
PAGE_MARK = "\f"
# A word with a hyphen at the end of a line or page, and its second part.
DIVIDED = re.compile(r"([^\W_]+)[-\u2010]\n(\f?)([^\W_]+)")
WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def join_words(text: str) -> str:
    """Return a text without divided words.

    The hyphen stays in a word that stands with it elsewhere, before a capital letter or a digit, and behind a letter.
    """
    if not DIVIDED.search(text):
        return text
    hyphenated = {word for word in WORDS.findall(text.lower()) if "-" in word}

    def join(match: re.Match[str]) -> str:
        first, mark, second = match.groups()
        is_divided = first.isalpha() and len(first) > 1 and second[0].islower()
        is_divided = is_divided and f"{first}-{second}".lower() not in hyphenated
        return f"{first}{'' if is_divided else '-'}{mark}{second}"

    return DIVIDED.sub(join, text)
