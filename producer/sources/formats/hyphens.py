"""Words that are divided at the ends of lines, as printed pages have them, in one piece."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A word with a hyphen at the end of a line, and its second part, in lower case, at the beginning of the next one.
DIVIDED = re.compile(r"([^\W\d_]{2,})[-\u2010]\n([^\W\d_]+)")
WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def join_words(pages: Sequence[str]) -> list[str]:
    """Return pages without divided words; the hyphen stays in a word that stands with it elsewhere."""
    if not any(DIVIDED.search(page) for page in pages):
        return list(pages)
    hyphenated = {word for page in pages for word in WORDS.findall(page.lower()) if "-" in word}

    def join(match: re.Match[str]) -> str:
        first, second = match[1], match[2]
        if not second[0].islower():
            return match[0]
        return f"{first}-{second}" if f"{first}-{second}".lower() in hyphenated else first + second

    return [DIVIDED.sub(join, page) for page in pages]
