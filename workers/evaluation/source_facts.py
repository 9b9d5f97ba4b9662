"""Facts of a source, indexed once, so that the sentences of its summaries are checked in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.evaluation.dates import Date, find_dates, find_ranges
from workers.evaluation.facts import Fact
from workers.evaluation.lexical import Sentence, split_sentences
from workers.evaluation.names import Name, list_capitals
from workers.evaluation.quantities import NumberPair, Quantity
from workers.evaluation.quantity_reading import find_pairs, find_quantities
from workers.evaluation.terms import TextTerm, find_places, read_terms
from workers.evaluation.writing import fold

Places = frozenset[int]

# Names are abbreviated to this many letters; shorter and longer runs of initials are chance.
MIN_INITIALS, MAX_INITIALS = 2, 6

# The shorter of two forms of a word has this many letters, and the longer one at most this many more.
MIN_FORM_LETTERS, MAX_ENDING = 5, 3

# Words of this many letters may be spelled with one letter changed.
MIN_SPELLED_LETTERS = 6

_SMALL_WORDS = {"of", "and", "the", "for", "in", "on", "to", "de", "a"}
_IDENTIFIER_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Facts of a source, by sentence.

    Args:
        sentences: the source's sentences.
        terms: words of each sentence.
        places: indices of the sentences with a word, by its key; places of the gazetteer are keys too.
        words: indices of the sentences with a word, by the whole word in lower case.
        acronyms: indices of the sentences with an acronym.
        initials: indices of the sentences with a run of words, by the run's initials.
        capitals: words with a capital inside a sentence, in lower case.
        quantities: numbers with the index of their sentence.
        pairs: scores and ranges with the index of their sentence.
        dates: dates with the index of their sentence.
        squeezed: sentences in lower case without signs, for identifiers.
    """

    sentences: tuple[Sentence, ...]
    terms: tuple[tuple[TextTerm, ...], ...]
    places: Mapping[str, Places]
    words: Mapping[str, Places]
    acronyms: Mapping[str, Places]
    initials: Mapping[str, Places]
    capitals: frozenset[str]
    quantities: tuple[tuple[Quantity, int], ...]
    pairs: tuple[tuple[NumberPair, int], ...]
    dates: tuple[tuple[Date, int], ...]
    squeezed: tuple[str, ...]

    def find(self, fact: Fact) -> Places:
        """Return the indices of the sentences that have a fact; none if it is nowhere."""
        reading = fact.reading
        if isinstance(reading, Quantity):
            return self._find_quantity(reading) or self._find_literally(fact)
        if isinstance(reading, NumberPair):
            return self._find_pair(reading)
        if isinstance(reading, Date):
            return self._find_date(reading)
        if isinstance(reading, Name):
            return self._find_name(reading)
        return self._find_identifier(fact.text)

    def _find_quantity(self, quantity: Quantity) -> Places:
        return Places(place for other, place in self.quantities if quantity.is_borne_out_by(other))

    def _find_literally(self, fact: Fact) -> Places:
        """Return the sentences with the very words of a number and its unit."""
        if fact.text.replace(",", "").replace(".", "").isdigit() or " " not in fact.text:
            return Places()
        wanted = fold(fact.text)
        return Places(place for place, sentence in enumerate(self.sentences) if wanted in fold(sentence.text))

    def _find_pair(self, pair: NumberPair) -> Places:
        found = Places(place for other, place in self.pairs if pair.values == other.values)
        either = [Places(place for other, place in self.quantities if other.value == value) for value in pair.values]
        return found or frozenset.intersection(*either)

    def _find_date(self, date: Date) -> Places:
        found = Places(place for other, place in self.dates if date.agrees_with(other))
        if found and date.years is not None and date.month is not None and not self._has_year(date):
            return Places()
        if not found and date.is_year and date.years is not None:
            return Places(place for other, place in self.quantities if other.value == date.years[0])
        if not found and date.month is not None and date.days is None and date.years is not None:
            return Places()
        return found

    def _has_year(self, date: Date) -> bool:
        year = Date(0, 0, years=date.years)
        return any(year.agrees_with(other) for other, _ in self.dates)

    def _find_name(self, name: Name) -> Places:
        """Return the sentences with most words of a name, or with its initials; none if the source lacks a word."""
        found = self.acronyms.get("".join(term.text[0] for term in name.terms).upper(), Places())
        if len(name.terms) > 1 and found:
            return found
        sets = list(self.find_words(name.terms))
        if not sets or not all(sets):
            return Places()
        return self._pick_richest(sets)

    def find_words(self, terms: Sequence[TextTerm]) -> Iterator[Places]:
        """Yield the indices of the sentences with each word of a name, or with a place that several of them name."""
        rest = 0
        for span in find_places(terms):
            yield from (self.find_word(term) for term in terms[rest : span.first])
            literal = [self.find_word(term) for term in terms[span.first : span.last]]
            coded = (self.places.get(f"@{code}", Places()) for code in span.codes)
            whole = frozenset.intersection(*literal) if all(literal) else Places()
            yield whole.union(*coded)
            rest = span.last
        yield from (self.find_word(term) for term in terms[rest:])

    def find_word(self, term: TextTerm) -> Places:
        """Return the indices of the sentences that have a word, a form of it or what it abbreviates."""
        found = self.places.get(term.key, Places())
        if term.is_acronym:
            found |= self.initials.get(term.text, Places())
        if found:
            return found
        if term.text.isalpha() and term.is_acronym and len(term.text) < MIN_FORM_LETTERS:
            return Places()
        wanted = term.text.lower()
        return Places().union(*(places for word, places in self.words.items() if _are_forms(wanted, word)))

    def _find_identifier(self, text: str) -> Places:
        wanted = _squeeze(text)
        return Places(place for place, squeezed in enumerate(self.squeezed) if wanted in squeezed)

    @staticmethod
    def _pick_richest(sets: Sequence[Places]) -> Places:
        counts: dict[int, int] = {}
        for places in sets:
            for place in places:
                counts[place] = counts.get(place, 0) + 1
        most = max(counts.values())
        return Places(place for place, count in counts.items() if count == most) | sets[-1]


def read_source(text: str) -> SourceFacts:
    """Index the facts of a source."""
    sentences = split_sentences(text)
    terms = tuple(read_terms(sentence.text) for sentence in sentences)
    numbered = list(enumerate(sentence.text for sentence in sentences))
    return SourceFacts(
        sentences=sentences,
        terms=terms,
        places=_index(_list_keys(sentence.text, words) for sentence, words in zip(sentences, terms, strict=True)),
        words=_index(_list_words(sentence.text, words) for sentence, words in zip(sentences, terms, strict=True)),
        acronyms=_index((term.text for term in words if term.is_acronym) for words in terms),
        initials=_index(_list_initials(words) for words in terms),
        capitals=frozenset(
            word
            for sentence, words in zip(sentences, terms, strict=True)
            for word in list_capitals(sentence.text, words)
        ),
        quantities=tuple((quantity, place) for place, sentence in numbered for quantity in find_quantities(sentence)),
        pairs=tuple((pair, place) for place, sentence in numbered for pair in find_pairs(sentence)),
        dates=tuple(
            (date, place) for place, sentence in numbered for date in (*find_dates(sentence), *find_ranges(sentence))
        ),
        squeezed=tuple(_squeeze(sentence) for _, sentence in numbered),
    )


def _index(rows: Iterable[Iterable[str]]) -> Mapping[str, Places]:
    found: dict[str, set[int]] = {}
    for place, row in enumerate(rows):
        for key in row:
            found.setdefault(key, set()).add(place)
    return {key: Places(places) for key, places in found.items()}


def _list_keys(text: str, terms: Sequence[TextTerm]) -> Iterator[str]:
    yield from (term.key for term in terms)
    yield from (f"@{code}" for span in find_places(terms) for code in span.codes)
    yield from _list_joined(text, terms)


def _list_words(text: str, terms: Sequence[TextTerm]) -> Iterator[str]:
    yield from (term.text.lower() for term in terms)
    yield from _list_joined(text, terms)


def _list_joined(text: str, terms: Sequence[TextTerm]) -> Iterator[str]:
    """Yield, in lower case, neighbours as one word, which others may write them as."""
    for one, other in pairwise(terms):
        if text[one.end : other.start] in ("-", "\u2010", "\u2011", "'", "\u2019", "/", ".", " "):
            yield (one.text + other.text).lower()


def _list_initials(terms: Sequence[TextTerm]) -> Iterator[str]:
    """Yield the initials of the runs of words that a sentence may abbreviate, with and without small words."""
    for kept in (terms, [term for term in terms if term.text not in _SMALL_WORDS]):
        letters = "".join(term.text[0] for term in kept)
        for start in range(len(kept)):
            for length in range(MIN_INITIALS, MAX_INITIALS + 1):
                run = kept[start : start + length]
                if len(run) == length and run[0].is_capitalized and run[-1].is_capitalized:
                    yield letters[start : start + length].upper()


def _are_forms(one: str, other: str) -> bool:
    """Tell whether one whole word is the other with an ending, or with another letter.

    Of stems it would not do: a stem lacks so much of "Ouarzazate" that "Ouarzate" seems to be a form of it.
    """
    shared = min(len(one), len(other))
    if shared < MIN_FORM_LETTERS or one[:2] != other[:2] or abs(len(one) - len(other)) > MAX_ENDING:
        return False
    return one[:shared] == other[:shared] or (shared >= MIN_SPELLED_LETTERS and _differ_by_letter(one, other))


def _differ_by_letter(one: str, other: str) -> bool:
    """Tell whether one letter is other, more or less, as in Defence and Defense."""
    start = next(place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    rests = one[start:], other[start:]
    return any(
        some == others
        for some in (rests[0], rests[0][1:])
        for others in (rests[1], rests[1][1:])
        if (some, others) != rests
    )


def _squeeze(text: str) -> str:
    return _IDENTIFIER_SIGNS.sub("", fold(text))
