"""Words and sentences with their offsets, and the keys by which words are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bm25s.stopwords import STOPWORDS_EN_PLUS
from nltk.stem.porter import PorterStemmer

# In scripts without spaces each character is a word; runs of digits are words, so "53,193" equals "53, 193".
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\d+|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")
_POSSESSIVE = re.compile(r"[\u2019'](?=s\b)", re.IGNORECASE)

# A full stop after an initial or a common abbreviation ends no sentence.
_SENTENCE_END = re.compile(
    r"(?:(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|vs))(?<!\b(?:Mrs|Gov|Sen|Rep|Gen|Inc|etc))\.|[!?…])[\"'”’)]*\s+|[。！？]|\n+"  # noqa: RUF001
)

_NUMERAL_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
NUMERALS = {word: str(number) for number, word in enumerate(_NUMERAL_WORDS)}

# Words without content; "s" and "t" remain after an apostrophe.
STOP_WORDS = frozenset(STOPWORDS_EN_PLUS) - NUMERALS.keys()

_stemmer = PorterStemmer()


@dataclass(frozen=True, slots=True)
class Word:
    """Word of a text.

    Args:
        text: the word as written.
        key: stem in lower case, or digits for a numeral; words with equal keys are compared as equal.
        start: offset of the first character.
        end: offset after the last character.
    """

    text: str
    key: str
    start: int
    end: int

    @property
    def is_content(self) -> bool:
        """Whether the word is no stop word."""
        return self.text.lower() not in STOP_WORDS


@dataclass(frozen=True, slots=True)
class Sentence:
    """Sentence of a text without surrounding white space; the offsets are in characters, the end exclusive."""

    text: str
    start: int
    end: int


def read_words(text: str) -> tuple[Word, ...]:
    """Return the words of a text, without possessive s."""
    spans = (match.span() for match in _WORD.finditer(text))
    return tuple(
        Word(text[start:end], find_key(text[start:end]), start, end)
        for start, end in spans
        if not (text[start:end] in ("s", "S") and _POSSESSIVE.match(text, start - 1))
    )


@lru_cache(maxsize=100_000)
def find_key(word: str) -> str:
    """Return the key of a word."""
    lowered = word.lower()
    return NUMERALS.get(lowered) or _stemmer.stem(lowered)


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """Return the sentences of a text that have at least one word."""
    bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    spans = (trim(text, start, end) for start, end in pairwise(bounds))
    return tuple(Sentence(text[start:end], start, end) for start, end in spans if _WORD.search(text, start, end))


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without white space at its ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
