"""Words and sentences with their places, and words in the form in which texts are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bm25s.stopwords import STOPWORDS_EN_PLUS
from nltk.stem.porter import PorterStemmer

# Scripts without spaces count by the character; digits stand alone, so that "53,193" and "53, 193" are the same words.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\d+|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")
_POSSESSIVE = re.compile(r"[\u2019'](?=s\b)", re.IGNORECASE)

# A stop behind an initial or a common abbreviation ends no sentence.
_SENTENCE_END = re.compile(
    r"(?:(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|vs))(?<!\b(?:Mrs|Gov|Sen|Rep|Gen|Inc|etc))\.|[!?…])[\"'”’)]*\s+|[。！？]|\n+"  # noqa: RUF001
)

_NUMERAL_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
NUMERALS = {word: str(number) for number, word in enumerate(_NUMERAL_WORDS)}

# Words that carry no fact; "s" and "t" are what an apostrophe leaves behind.
STOP_WORDS = frozenset(STOPWORDS_EN_PLUS) - NUMERALS.keys()

_stemmer = PorterStemmer()


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Args:
        text: as it is written.
        key: its stem in lower case, numerals as digits: equal for words that are compared as equal.
        start: offset of its first character.
        end: offset behind its last character.
    """

    text: str
    key: str
    start: int
    end: int

    @property
    def is_content(self) -> bool:
        """Tell whether the word says something by itself."""
        return self.text.lower() not in STOP_WORDS


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text, without white space around it."""

    text: str
    start: int
    end: int


def read_words(text: str) -> tuple[Word, ...]:
    """Return the words of a text; a possessive s is none."""
    spans = (match.span() for match in _WORD.finditer(text))
    return tuple(
        Word(text[start:end], find_key(text[start:end]), start, end)
        for start, end in spans
        if not (text[start:end] in ("s", "S") and _POSSESSIVE.match(text, start - 1))
    )


@lru_cache(maxsize=100_000)
def find_key(word: str) -> str:
    """Return the form in which a word is compared."""
    lowered = word.lower()
    return NUMERALS.get(lowered) or _stemmer.stem(lowered)


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """Return the sentences of a text that have at least one word."""
    bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    spans = (trim(text, start, end) for start, end in pairwise(bounds))
    return tuple(Sentence(text[start:end], start, end) for start, end in spans if _WORD.search(text, start, end))


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the white space at its ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
