"""Statements: sentences, lines and items that say something, unlike titles, names and announcements of what follows."""

from __future__ import annotations

import re

from workers.evaluation.lexical import STOP_WORDS
from workers.summarization.prose import ENDS

# Initial of a word between spaces, and its other letters.
_CASED_WORD = re.compile(r"(?<!\S)[^\w\s]*([^\W\d_])(\w*)")
# A number, or a colon behind a name.
_STATING = re.compile(r"(?<!\S)[^\w\s]*\d|\S[:\uff1a][*_]*\s+\S")


def is_statement(line: str) -> bool:
    """Tell whether a sentence, a line or an item says something, unlike a title, a name or an announcement.

    It ends like a sentence, has a number, a colon within, or a word with content in lower case. Where few words have a
    case at all, as in many scripts, nobody can tell. Several lines must end like a sentence.
    """
    if is_announcement(line) or ("\n" in line and not ENDS.search(line)):
        return False
    words = [(found[1], found[2]) for found in _CASED_WORD.finditer(line)]
    cased = [(initial, rest) for initial, rest in words if initial.isupper() or initial.islower()]
    is_told_by_case = len(cased) * 2 > len(words) and not line.isupper()
    says = any(initial.islower() and initial + rest.casefold() not in STOP_WORDS for initial, rest in cased)
    return not is_told_by_case or says or bool(ENDS.search(line) or _STATING.search(line))


def is_announcement(line: str) -> bool:
    """Tell whether a line announces what follows it, by a colon at its end."""
    return line.rstrip(" \t*_").endswith((":", "\uff1a"))
