"""Terms: words of a text with their case and their place in the sentence, for names and for their comparison."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.evaluation.gazetteer import MAX_PLACE_WORDS, Codes, find_codes
from workers.evaluation.lexical import STOP_WORDS, find_key, fold_word

# Abbreviations with full stops are one term, and so are words with digits in them.
_TERM = re.compile(
    r"(?:[^\W\d_]\.){2,}|[\u3040-\u30ff\u3400-\u9fff]|(?:[^\W_\u3040-\u30ff\u3400-\u9fff][\u0300-\u036f]*)+"
)
_APOSTROPHES = "'\u2019\u02bc`"
# Behind these a capital says nothing: the beginning, a bullet, a colon, an opening quote or bracket, a full stop.
_OPENING = re.compile(
    r"(?:^|[.!?:;\u2026\u201c\"(\[*#|>\u2022\n\u2013\u2014-]|[`'\u2018]{1,2}|\d[.)])\s*[\"'\u201c\u2018`(\[*_#]*$"
)


@dataclass(frozen=True, slots=True)
class Term:
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


def read_terms(text: str) -> tuple[Term, ...]:
    """Return the words of a text, without possessive s."""
    return tuple(_iterate_terms(text))


def _iterate_terms(text: str) -> Iterator[Term]:
    for match in _TERM.finditer(text):
        start, end = match.span()
        word = fold_word(match[0].replace(".", ""))
        if word in ("s", "S") and start and text[start - 1] in _APOSTROPHES:
            continue
        opens = word[0].isupper() and _OPENING.search(text, max(0, start - 6), start) is not None
        yield Term(word, find_key(word), start, end, opens or start == 0)


@dataclass(frozen=True, slots=True)
class PlaceSpan:
    """Run of terms that the gazetteer knows: the indices of the first and behind the last, and the codes."""

    first: int
    last: int
    codes: Codes


def find_places(terms: Sequence[Term]) -> Iterator[PlaceSpan]:
    """Yield the longest names, demonyms and abbreviations of the gazetteer, in order and without overlaps."""
    place = 0
    while place < len(terms):
        for length in range(min(MAX_PLACE_WORDS, len(terms) - place), 0, -1):
            codes = find_codes(tuple(term.text for term in terms[place : place + length]))
            if codes:
                yield PlaceSpan(place, place + length, codes)
                place += length
                break
        else:
            place += 1
