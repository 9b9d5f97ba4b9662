"""Terms: words of a text with their case and their place in the sentence, for names and for their comparison."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.evaluation.gazetteer import MAX_PLACE_WORDS, Codes, find_codes, may_begin_place
from workers.evaluation.lexical import STOP_WORDS, find_key
from workers.evaluation.writing import MARKS, UNSPACED, fold_accents

# Abbreviations with full stops are one term, and so are words with digits in them.
_TERM = re.compile(
    rf"[^\W\d_](?:\.[^\W\d_])+\b\.?|[{UNSPACED}][{MARKS}]*|[^\W_{UNSPACED}]+(?:[{MARKS}]+[^\W_{UNSPACED}]*)*"
)
_APOSTROPHES = "'\u2019\u02bc`"
# Behind these a capital says nothing: the beginning, a bullet, a colon, an opening quote or bracket, a full stop.
_OPENING = re.compile(
    r"(?:[.!?:;\u2026*#|>\u2022\n\u2013\u2014]|\s-+\s|--|[\s(\[][`'\"\u2018\u201c]{1,2}|\s[(\[]|\d[.)]\s)"
    r"\s*[\"'\u201c\u2018`(\[*_#-]*$"
)
_QUOTES = "'\"\u2018\u201c`"
# A word alone in quotes is a title, so its capital says something.
_CLOSING = re.compile(r"['\"\u2019\u201d]")


@dataclass(frozen=True, slots=True)
class TextTerm:
    """Word of a text.

    Args:
        text: the word without diacritics and, if it is an abbreviation, without full stops.
        key: stem in lower case, or digits for a numeral.
        start: offset of the first character.
        end: offset after the last character.
        opens: whether the word stands where any word has a capital.
    """

    text: str
    key: str
    start: int
    end: int
    opens: bool

    @property
    def is_capitalized(self) -> bool:
        """Whether the first letter is a capital."""
        return self.text[0].isupper()

    @property
    def is_marked(self) -> bool:
        """Whether the word is an acronym, has a capital inside, or letters and digits."""
        rest = self.text[1:]
        has_capital = any(letter.isupper() for letter in rest)
        return has_capital or (self.text[0].isalpha() and any(letter.isdigit() for letter in rest))

    @property
    def is_content(self) -> bool:
        """Whether the word is no stop word."""
        return (self.text.lower() not in STOP_WORDS or self.is_acronym) and not self.is_elision

    @property
    def is_acronym(self) -> bool:
        """Whether the word has two capitals or more and no other letter."""
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_elision(self) -> bool:
        """Whether the word is the rest behind an apostrophe, such as the s of a possessive."""
        return self.text in ("s", "S", "t", "re", "ve", "ll", "d", "m")


def read_terms(text: str) -> tuple[TextTerm, ...]:
    """Return the words of a text, without possessive s."""
    return tuple(_iterate_terms(text))


def _iterate_terms(text: str) -> Iterator[TextTerm]:
    for match in _TERM.finditer(text):
        start, end = match.span()
        word = fold_accents(match[0].replace(".", ""))
        if word in ("s", "S") and start and text[start - 1] in _APOSTROPHES:
            continue
        opens = word[0].isupper() and _opens(text, start, end)
        yield TextTerm(word, find_key(word), start, end, opens)


def _opens(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 6) : start]
    if not _OPENING.search(before if start > 6 else f"\n{before}"):
        return False
    return not (before[-1:] in _QUOTES and before.strip(_QUOTES) and _CLOSING.match(text, end))


@dataclass(frozen=True, slots=True)
class PlaceSpan:
    """Run of terms that the gazetteer knows: the indices of the first and behind the last, and the codes."""

    first: int
    last: int
    codes: Codes


def find_places(terms: Sequence[TextTerm]) -> Iterator[PlaceSpan]:
    """Yield the longest names, demonyms and abbreviations of the gazetteer, in order and without overlaps."""
    place = 0
    while place < len(terms):
        if not may_begin_place(terms[place].text):
            place += 1
            continue
        for length in range(min(MAX_PLACE_WORDS, len(terms) - place), 0, -1):
            codes = find_codes(tuple(term.text for term in terms[place : place + length]))
            if codes:
                yield PlaceSpan(place, place + length, codes)
                place += length
                break
        else:
            place += 1
