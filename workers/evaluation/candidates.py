"""Answer candidates of a text: names, numbers, dates and noun-like phrases, as spans that a question can ask for.

Without a tagger, names are runs of capitalized words, and phrases are runs of words between stop words and
punctuation (RAKE, Rose et al. 2010). In text without capitals, names are found as phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile
from typing import TypeGuard

from workers.evaluation.lexical import NUMERALS, SourceIndex, Word, read_words

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"\b(?:{_DAY} (?:of )?{_MONTH}\b|{_MONTH}\.? {_DAY}\b)(?:,? \d{{4}}\b)?|\b{_MONTH},? \d{{4}}\b|"
    r"\b\d{4}-\d\d-\d\d\b|\b(?:1[89]|20)\d\ds?\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    re.IGNORECASE,
)
_SCALE = r"(?:hundred|thousand|million|billion|trillion)"
_NUMBER = re.compile(
    rf"(?:[$£€] ?)?\d+(?:[.,:/-]\d+)*(?: ?{_SCALE}\b)?(?: ?%|(?:st|nd|rd|th|m|bn|k)\b)?|"
    rf"\b(?:{'|'.join(NUMERALS)})\b(?: {_SCALE}\b)?",
    re.IGNORECASE,
)
_CAPITALIZED = r"(?:[A-Z]\w*(?:[-.&'’][A-Z]\w*)*)"  # noqa: RUF001
_NAME = re.compile(rf"\b{_CAPITALIZED}(?:(?:['’]s|\.)? (?:(?:of|de|la|van|von|bin|al|the) )?{_CAPITALIZED})*")  # noqa: RUF001

# A longer run of words is rather a clause than an answer.
MAX_PHRASE_WORDS = 3

# Shorter phrases are rarely facts.
MIN_PHRASE_LETTERS = 4

# Reporting verbs join a speaker to a statement, so they end a phrase as stop words do.
_REPORTING = {"said", "says", "say", "told", "tells", "tell", "added", "adds", "asked", "claimed", "claims", "also"}


class CandidateKind(StrEnum):
    """Kind of a candidate."""

    DATE = "date"
    NUMBER = "number"
    NAME = "name"
    PHRASE = "phrase"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Span of a text that could be an answer; the offsets are in characters, the end exclusive."""

    text: str
    kind: CandidateKind
    start: int
    end: int


def find_candidates(text: str) -> tuple[Candidate, ...]:
    """Return the candidates of a text, in order and without overlaps."""
    found: list[Candidate] = []

    def is_free(start: int, end: int) -> bool:
        return all(end <= other.start or other.end <= start for other in found)

    # Dates come first: a year must not count as a number, nor a month as a name.
    finders = {CandidateKind.DATE: _find_dates, CandidateKind.NUMBER: _find_numbers, CandidateKind.NAME: _find_names}
    for kind, find in finders.items():
        found += [Candidate(text[start:end], kind, start, end) for start, end in find(text) if is_free(start, end)]
    words = [word if is_free(word.start, word.end) else None for word in read_words(text)]
    found += [Candidate(text[start:end], CandidateKind.PHRASE, start, end) for start, end in _find_phrases(text, words)]
    return tuple(sorted(found, key=lambda candidate: candidate.start))


def _find_dates(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _DATE.finditer(text)]


def _find_numbers(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _NUMBER.finditer(text)]


def _find_names(text: str) -> Iterator[tuple[int, int]]:
    for match in _NAME.finditer(text):
        # Capitalized stop words such as "The" or "He" open a sentence and are no part of the name.
        words = list(dropwhile(lambda word: not word.is_content, read_words(match[0])))
        if words:
            yield match.start() + words[0].start, match.start() + words[-1].end


def _find_phrases(text: str, words: Iterable[Word | None]) -> Iterator[tuple[int, int]]:
    """Yield the spans of runs of free words joined by single spaces or hyphens; split runs over the maximum length."""
    run: list[Word] = []
    for word in (*words, None):
        is_joined = bool(run) and word is not None and text[run[-1].end : word.start] in (" ", "-")
        if run and (not is_joined or len(run) == MAX_PHRASE_WORDS or not _is_in_phrase(word)):
            if run[-1].end - run[0].start >= MIN_PHRASE_LETTERS:
                yield run[0].start, run[-1].end
            run = []
        if _is_in_phrase(word):
            run.append(word)


def _is_in_phrase(word: Word | None) -> TypeGuard[Word]:
    return word is not None and word.is_content and word.text.isalpha() and word.text.lower() not in _REPORTING


def is_in_source(text: str, index: SourceIndex) -> bool:
    """Tell whether every content word of a text is in the source."""
    return all(word.key in index.places for word in read_words(text) if word.is_content)
