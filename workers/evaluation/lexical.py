"""Words and sentences with offsets, and the word overlap of a summary with its source: signals without a generator.

- Words and bigrams: the share of a sentence's stemmed n-grams that also occur in the source. Abstractive summarizers
  hallucinate in novel n-grams (Durmus et al., ACL 2020; Fabbri et al., SummEval 2021). Weakness: a correct paraphrase
  is novel too, and source words in a false order are not.
- Links: the share of a sentence's neighbouring content words that also occur near each other in the source, so that a
  correct name beside a correct verb counts only if the source has them together. Weakness: negations are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bm25s.stopwords import STOPWORDS_EN_PLUS
from nltk.stem.porter import PorterStemmer

from workers.evaluation.writing import (
    AFTER_STOP_SIGN,
    LETTERS,
    LOWER,
    STOP_SIGNS,
    UNSPACED,
    UPPER,
    fold_accents,
    read_digits,
)

# In scripts without spaces each letter is a word. A number with its groups of digits is one word: 53,193 and 1,00,000.
_GROUPED = (
    r"\d{1,3}(?:, ?\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)"
    r"|\d{1,3}(?:[.\u00a0\u2009\u202f'\u2019\u066c\uff0c]\d{3})+(?!\d)"
)
_WORD = re.compile(rf"{LETTERS}|{_GROUPED}|\d+")
_POSSESSIVE = re.compile(r"[\u2019'](?=s\b)", re.IGNORECASE)


def _behind(words: str) -> str:
    """Return the pattern of a place behind one of some words and a full stop; a lookbehind has one length."""
    lengths = sorted({len(word) for word in words.split()})
    alike = (rf"(?<=\b(?:{'|'.join(word for word in words.split() if len(word) == length)})\.)" for length in lengths)
    return f"(?:{'|'.join(alike)})"


# A full stop ends no sentence behind an initial, a common abbreviation or the first of two letters (z. B.), nor behind
# a number before a word in lower case or a month, as in German and Danish dates.
_ABBREVIATIONS = _behind(
    "Mr Ms Mrs Dr Prof St Sr Hr Fr Mme Sra Dra Dhr Gov Sen Rep Gen Capt Sgt Rev Hon Inc al vs etc e.g i.e "
    "Dipl Ing Mio Mrd Tsd bzw ggf sog vgl evtl inkl zzgl bspw \u0443\u043b \u0438\u043c \u0921\u0949"
)
# These also end sentences: they end none before a number, or before a word in lower case.
_BEFORE_NUMBER = _behind(
    "No Nr p pp Fig Sec Sect Vol Ch ch Eq Art art Abb Tab Kap Abs Bd Ziff rd ca approx max min mind gem v c geb gest "
    "Jan Feb Apr Jun Jul Aug Sep Sept Oct Okt Nov Dec Dez Conn Mass Calif"
)
_BEFORE_LOWER_CASE = _behind(
    "ca rd np tj usw gem max min mind incl excl resp approx Conn Mass Calif Ill "
    "\u043c\u043b\u043d \u043c\u043b\u0440\u0434 \u0440\u0443\u0431 \u0442\u044b\u0441 tzn atd esim"
)
_MONTHS = "Januar|Februar|M\u00e4rz|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
_ORDINAL = rf"(?=\s(?:[^\W\d_{UPPER}{UNSPACED}]|(?:{_MONTHS})\b))"
_ARTICLE = r"(?:[Dd](?:er|ie|as|em|en|es)|[Zz]um|[Vv]om)"
_NO_END = (
    rf"(?<!\b[{UPPER}]\.)(?!{_ABBREVIATIONS})(?!{_BEFORE_NUMBER}\s[\d\u00a7])"
    rf"(?!(?:(?<=\b\w\.)|{_BEFORE_LOWER_CASE})\s[{LOWER}])"
    rf"(?<!\b[^\W\d_]\.(?=\s[^\W\d_]\.))(?<!\b[^\W\d_]\.\s[^\W\d_]\.)"
    rf"(?<!(?<!\w)\d\.{_ORDINAL})(?<!(?<!\w)\d\d\.{_ORDINAL})"
    rf"(?<!\b{_ARTICLE}\s\d\.)(?<!\b{_ARTICLE}\s\d\d\.)(?<!\b[Ii]m\s\d\.)(?<!\b[Ii]m\s\d\d\.)"
)
# One class of all signs comes first: the search skips to them.
_SENTENCE_END = re.compile(
    rf"[.\u2026\n{STOP_SIGNS}](?:(?:(?<=\.){_NO_END}|(?<=[!?\u2026]))"
    rf"[\"'\u201d\u2019)\u00bb]*(?:[ \u00a0\u202f]\u00bb)?\s+|(?<=\n)\n*|{AFTER_STOP_SIGN})"
)

_NUMERAL_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
NUMERALS = {word: str(number) for number, word in enumerate(_NUMERAL_WORDS)}

# Words without content; "s" and "t" remain after an apostrophe.
STOP_WORDS = frozenset(STOPWORDS_EN_PLUS) - NUMERALS.keys()

_stemmer = PorterStemmer()

# Characters of a text whose content words are kept: a sentence is compared with many others, a summary only once, and
# thousands of summaries would fill the memory of a worker.
MAX_KEPT_CHARACTERS = 500


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
    return tuple(Word(text[start:end], find_key(text[start:end]), start, end) for start, end in find_words(text))


def find_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of every word of a text, without possessive s."""
    for match in _WORD.finditer(text):
        if not (match[0] in ("s", "S") and _POSSESSIVE.match(text, match.start() - 1)):
            yield match.span()


def read_content(text: str) -> frozenset[str]:
    """Return the keys of the content words of a text."""
    return _read_sentence_content(text) if len(text) <= MAX_KEPT_CHARACTERS else _read_content(text)


# Enough for the sentences of a long document; each takes about 1 KB.
@lru_cache(maxsize=8_192)
def _read_sentence_content(text: str) -> frozenset[str]:
    return _read_content(text)


def _read_content(text: str) -> frozenset[str]:
    return frozenset(word.key for word in read_words(text) if word.is_content)


# Stemming a word takes as long as fifty look-ups, and most words of a text occur again, in it or in its summaries.
@lru_cache(maxsize=50_000)
def find_key(word: str) -> str:
    """Return the key of a word."""
    if word[:1].isdecimal():
        return read_digits(word)
    lowered = fold_accents(word).lower()
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


# Number of following content words to which a content word is linked.
LINKED_WORDS = 2

# Maximum distance of two linked words in the source, in words: about half a sentence.
LINK_WINDOW = 8


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares, from 0 to 1, of a sentence's words, bigrams and links that occur in the source; None without any."""

    words: float | None
    bigrams: float | None
    links: float | None


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """Positional index of a source's words.

    Args:
        keys: keys of all words, in order.
        places: positions in ``keys``, by key.
    """

    keys: tuple[str, ...]
    places: Mapping[str, frozenset[int]]

    def has_sequence(self, keys: Sequence[str]) -> bool:
        """Tell whether the source has these words in direct sequence."""
        rarest = min(range(len(keys)), key=lambda place: len(self.places.get(keys[place], ())))
        starts = (place - rarest for place in self.places.get(keys[rarest], ()))
        return any(
            all(start + offset in self.places.get(key, ()) for offset, key in enumerate(keys)) for start in starts
        )

    def has_link(self, one: str, other: str) -> bool:
        """Tell whether the source has two words near each other."""
        few, many = sorted((self.places.get(one, frozenset()), self.places.get(other, frozenset())), key=len)
        return any(
            place + distance in many for place in few for distance in range(-LINK_WINDOW, LINK_WINDOW + 1) if distance
        )

    def measure_overlap(self, words: Sequence[Word]) -> Overlap:
        """Return the overlap of a sentence with the source."""
        keys = [word.key for word in words]
        content = [word.key for word in words if word.is_content]
        links = [
            self.has_link(one, other)
            for place, one in enumerate(content)
            for other in content[place + 1 : place + 1 + LINKED_WORDS]
        ]
        return Overlap(
            words=_find_share([key in self.places for key in keys]),
            bigrams=_find_share([self.has_sequence(pair) for pair in pairwise(keys)]),
            links=_find_share(links),
        )


def index_source(source: str) -> SourceIndex:
    """Build the positional index of a source."""
    keys = tuple(word.key for word in read_words(source))
    places: dict[str, set[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, set()).add(place)
    return SourceIndex(keys, {key: frozenset(found) for key, found in places.items()})


def _find_share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
