"""Datelines: the place and the news agency before the first sentence of a report, which are no part of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.evaluation.lexical import Sentence
from workers.evaluation.writing import UPPER

# For example: "(CNN)The", "(CNN) -- The", "RIO DE JANEIRO, May 3 (Reuters) - The".
_AGENCY = r"\((?:AFP|AP|Associated Press|BBC|Bloomberg|CNN|dpa|Reuters|UPI|Xinhua)(?: [A-Z]\w+){0,3}\)"
_PLACE = rf"(?:(?:[{UPPER}][\w.'\u2019-]*|\d{{1,2}}|d[aeo]s?|la),?[ \t]+){{0,6}}"
_BEGINNING = rf"(?=[\"'\u201c\u2018]?[{UPPER}])"
# Any short form in capitals is an agency where the report begins at its bracket.
_DATELINE = re.compile(
    rf"(?:{_PLACE}{_AGENCY}(?:\s*(?:--|[-\u2013\u2014])\s+)?|{_AGENCY}\s+|\([A-Z]{{2,5}}\)){_BEGINNING}"
)


def drop_datelines(text: str, sentences: Sequence[Sentence]) -> str:
    """Return a text without the place and the news agency before some of its sentences."""
    kept, end = "", 0
    for sentence in sentences:
        start = sentence.start
        while (length := measure_dateline(text[start : sentence.end])) and start + length < sentence.end:
            start += length
        kept += text[end : sentence.start]
        end = start
    return kept + text[end:]


def measure_dateline(sentence: str) -> int:
    """Return the number of characters of the place and the news agency at the beginning of a sentence."""
    found = _DATELINE.match(sentence)
    return found.end() if found else 0
