"""Names and identifiers of a text: capitals inside sentences, acronyms, file names, words with digits.

A capital at the beginning of a sentence is no evidence of a name: such a word counts only if it has a capital inside
another sentence or looks like an acronym. In a heading every word is such a beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.evaluation.gazetteer import find_codes
from workers.evaluation.terms import TextTerm
from workers.evaluation.writing import UNSPACED

# Letters with digits, signs or capitals inside: EfficientNet-B3, train.csv, max_len, v1.2; but no number in groups
# (1.200.000), and in Chinese, Japanese and Korean no letters beside a number.
_ATTACHED = f"{UNSPACED}\uac00-\ud7a3"
_IDENTIFIER = re.compile(
    rf"(?<![^\W{_ATTACHED}])(?<![.@/-])(?:[^\W\d_{_ATTACHED}][\w-]*\."
    r"(?:csv|py|json|txt|md|ipynb|pdf|zip|yaml|yml|pt|parquet|tsv|npy|com|org|net|io)\b|"
    rf"(?=[\w-]*\d)[^\W\d_{_ATTACHED}][^\W_{_ATTACHED}]*(?:[-_][^\W_{_ATTACHED}]+)*|[^\W\d_{_ATTACHED}]\w*_\w+|v\d+(?:\.\d+)+|"
    rf"(?!\d{{1,3}}(?:\.\d{{3}})+(?![\w.]))\d+(?:\.\d+){{2,}})(?![^\W{_ATTACHED}])"
)

# Small words that stand inside names, before another capital.
_INNER = {
    "of",
    "de",
    "la",
    "le",
    "van",
    "von",
    "der",
    "den",
    "bin",
    "bint",
    "al",
    "el",
    "da",
    "do",
    "di",
    "del",
    "for",
    "the",
    "&",
}

# Words with a capital that say nothing about the name that they stand before, or that are none.
_TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "dr",
        "sir",
        "lady",
        "lord",
        "prof",
        "professor",
        "president",
        "former",
        "senator",
        "sen",
        "rep",
        "gov",
        "governor",
        "judge",
        "justice",
        "king",
        "queen",
        "prince",
        "princess",
        "pope",
        "rev",
        "reverend",
        "captain",
        "capt",
        "sgt",
        "sergeant",
        "lt",
        "lieutenant",
        "colonel",
        "col",
        "general",
        "gen",
        "minister",
        "secretary",
        "mayor",
        "congressman",
        "congresswoman",
        "detective",
        "officer",
        "coach",
        "chief",
        "deputy",
        "st",
        "saint",
        "jr",
        "sr",
        "i",
        "ceo",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mon",
        "tue",
        "tues",
        "wed",
        "thu",
        "thur",
        "thurs",
        "fri",
        "sat",
        "sun",
        "spring",
        "summer",
        "autumn",
        "fall",
        "winter",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "pm",
        "am",
        "bc",
        "ad",
        "ok",
        "tv",
        "god",
    ]
)

# Shorter lines are no headings.
MIN_HEADING_WORDS = 3


@dataclass(frozen=True, slots=True)
class Name:
    """Name or identifier of a text, with the terms that must be borne out."""

    start: int
    end: int
    terms: tuple[TextTerm, ...]


def is_heading(text: str, terms: Sequence[TextTerm]) -> bool:
    """Tell whether a line without a full stop has capitals on all its words, small ones aside."""
    words = [term for term in terms if term.text.isalpha() and term.is_content]
    is_line = not text.rstrip(" \"'\u201d)").endswith((".", "!", "?", "\u2026"))
    return is_line and len(words) >= MIN_HEADING_WORDS and all(term.is_capitalized for term in words)


def list_capitals(text: str, terms: Sequence[TextTerm]) -> Iterator[str]:
    """Yield, in lower case, the words of a sentence whose capital is evidence of a name."""
    if not is_heading(text, terms):
        yield from (
            term.text.lower()
            for term in terms
            if term.is_capitalized and term.is_content and (not term.opens or term.is_marked)
        )


def find_identifiers(text: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of the identifiers of technical text."""
    return tuple(match.span() for match in _IDENTIFIER.finditer(text))


def find_names(text: str, terms: Sequence[TextTerm], *, capitals: frozenset[str]) -> Iterator[Name]:
    """Yield the names of a sentence.

    Args:
        text: the sentence.
        terms: its words.
        capitals: words that have a capital inside the sentences of the source, in lower case.
    """
    trusted = not is_heading(text, terms)
    run: list[TextTerm] = []
    for place, term in enumerate(terms):
        joined = bool(run) and _are_joined(text, run[-1], term)
        if run and not (joined and (_has_capital(term, capitals) or _is_inner(text, terms, place))):
            yield from _close_run(run, capitals, trusted=trusted)
            run = []
        if _has_capital(term, capitals) or (run and joined and _is_inner(text, terms, place)):
            run.append(term)
    yield from _close_run(run, capitals, trusted=trusted)


def _has_capital(term: TextTerm, capitals: frozenset[str]) -> bool:
    return term.is_capitalized or (term.is_marked and not term.text[0].isdigit()) or _is_known(term, capitals)


def _is_known(term: TextTerm, capitals: frozenset[str]) -> bool:
    """Tell whether a word without a capital is a name: one of the source's names or a country."""
    return (
        len(term.text) > 3
        and term.text.isalpha()
        and bool(find_codes((term.text.capitalize(),)))
        and term.text.lower() in capitals
    )


def _are_joined(text: str, one: TextTerm, other: TextTerm) -> bool:
    gap = text[one.end : other.start]
    return gap in (" ", "-", ". ", ".", "'", "\u2019", " & ", "&", "\u2013", "\u2010", "\u2011") and not (
        gap == ". " and len(one.text) > 4
    )


def _is_inner(text: str, terms: Sequence[TextTerm], place: int) -> bool:
    follower = terms[place + 1] if place + 1 < len(terms) else None
    return (
        terms[place].text in _INNER
        and follower is not None
        and follower.is_capitalized
        and text[terms[place].end : follower.start] in (" ", "-")
    )


def _close_run(run: list[TextTerm], capitals: frozenset[str], *, trusted: bool) -> Iterator[Name]:
    while run and (run[-1].text in _INNER or not run[-1].is_content):
        run = run[:-1]
    while run and (run[0].text in _INNER or not run[0].is_content):
        run = run[1:]
    needed = tuple(
        term
        for place, term in enumerate(run)
        if _is_evidence(term, capitals, trusted=trusted, is_first=place == 0)
        and term.is_content
        and term.text not in _INNER
        and term.text.lower() not in _TITLES
        and len(term.text) > 1
    )
    if needed:
        yield Name(needed[0].start, needed[-1].end, needed)


def _is_evidence(term: TextTerm, capitals: frozenset[str], *, trusted: bool, is_first: bool) -> bool:
    if term.text.lower() in capitals or (term.is_marked and (trusted or not term.is_acronym)):
        return True
    return trusted and not (is_first and term.opens)
