"""Repetition: loops over words, sentences or characters, copies of prompt or source, and sentences said twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile

from workers.evaluation.lexical import read_words, split_sentences
from workers.evaluation.writing import STOPS, UNSPACED, fold

# Minimum length of a loop, in words and in rounds of its unit.
MIN_LOOP_WORDS = 12
MIN_LOOP_ROUNDS = 3

# Longest unit of a loop, in words: about two sentences.
MAX_UNIT_WORDS = 50

# Up to half of the sentences or lines may be repeated; the share is meaningless for fewer than this many.
MIN_SENTENCES = 6
MAX_REPEATED_SHARE = 0.5

_GLYPH_LOOP = re.compile(r"(\S{1,8}?)\1{19,}|(\S{9,50}?)\2{5,}")
# In scripts without spaces between words each letter counts as one.
_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
_SENTENCE = re.compile(rf"[^.!?\n\u06d4\uff0c\uff1b{STOPS}]+")
# Thai and Lao have no full stop: a space ends a sentence or a clause.
_CLAUSE = re.compile(r"\S*[\u0e01-\u0eff]\S*|[^\u0e01-\u0eff]+")

# The same sentences twice in a row are a loop if they have this many words; shorter ones are labels. In scripts without
# spaces four letters are as long as three words.
MIN_TWICE_WORDS = 3
WORDS_PER_LETTER = 0.75
MAX_TWICE_SENTENCES = 8


def has_loop(text: str) -> bool:
    """Tell whether a text repeats itself: by words, by sentences, or within a word without spaces."""
    text = fold(text)
    words = _WORD.findall(text)
    is_looping = any(_has_period(words, period) for period in range(1, min(MAX_UNIT_WORDS, len(words)) + 1))
    return is_looping or _repeats_sentences(text) or _says_twice(text) or _has_glyph_loop(text)


def _has_period(words: list[str], period: int) -> bool:
    """Tell whether a long enough run of words equals the words one period earlier."""
    needed = max(MIN_LOOP_WORDS, MIN_LOOP_ROUNDS * period) - period
    run = 0
    for word, earlier in zip(words[period:], words, strict=False):
        run = run + 1 if word == earlier else 0
        if run >= needed:
            return True
    return False


def _repeats_sentences(text: str) -> bool:
    sentences = [" ".join(sentence.split()) for sentence in _SENTENCE.findall(text)]
    counts = Counter(sentence for sentence in sentences if any(map(str.isalpha, sentence)))
    total = counts.total()
    return total >= MIN_SENTENCES and 1 - len(counts) / total > MAX_REPEATED_SHARE


def _says_twice(text: str) -> bool:
    """Tell whether one or several sentences stand twice in a row."""
    lines = (_skip_marker(sentence.text) for sentence in split_sentences(text))
    clauses = (clause for line in lines for clause in _CLAUSE.findall(line))
    said = [words for clause in clauses if (words := tuple(word.text for word in read_words(clause)))]
    return any(
        said[place : place + count] == said[place + count : place + 2 * count]
        and sum(map(_measure, said[place : place + count])) >= MIN_TWICE_WORDS
        for count in range(1, min(MAX_TWICE_SENTENCES, len(said) // 2) + 1)
        for place in range(len(said) - 2 * count + 1)
    )


def _measure(words: Sequence[str]) -> float:
    """Return the number of words, with the share that a letter of a script without spaces has in one."""
    return sum(WORDS_PER_LETTER if _UNSPACED_LETTER.match(word) else 1 for word in words)


def _has_glyph_loop(text: str) -> bool:
    """Tell whether letters or digits repeat without a space; rules and table borders do not count."""
    return any(any(map(str.isalnum, match[1] or match[2])) for match in _GLYPH_LOOP.finditer(text))


# A shorter line of the instructions may occur in a summary by chance.
MIN_INSTRUCTION_CHARACTERS = 40

# A summary may quote; copying this share of the source, or this many characters, in one run makes it an echo.
ECHO_SHARE = 0.6
ECHO_CHARACTERS = 1500

# A shorter source is often its own best summary.
MIN_SOURCE_CHARACTERS = 120


def repeats_instructions(text: str, instructions: Sequence[str]) -> bool:
    """Tell whether an answer contains a whole line of the instructions."""
    flat = _flatten(text)
    return any(len(line) >= MIN_INSTRUCTION_CHARACTERS and _flatten(line) in flat for line in instructions)


def repeats_source(text: str, source: str) -> bool:
    """Tell whether an answer copies too long a run of its source to be a summary."""
    flat, whole = _flatten(text), _flatten(source)
    if len(whole) < MIN_SOURCE_CHARACTERS:
        return False
    needed = int(min(ECHO_SHARE * len(whole), ECHO_CHARACTERS))
    # A shared run of the needed length contains at least one whole block of half that length.
    half = max(1, needed // 2)
    starts = range(0, len(flat) - half + 1, half)
    return any(_measure_run(flat, whole, start, half) >= needed for start in starts)


def _measure_run(text: str, source: str, start: int, length: int) -> int:
    """Return the length of the shared run around a block of the text; 0 if the source lacks the block."""
    place = source.find(text[start : start + length])
    if place < 0:
        return 0
    before = _count_equal(reversed(text[:start]), reversed(source[:place]))
    return before + length + _count_equal(text[start + length :], source[place + length :])


def _count_equal(some: Iterable[str], others: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _flatten(text: str) -> str:
    return " ".join(fold(text).split())


# Words that change nothing in what a sentence says.
FILLERS = frozenset({"a", "an", "the", "and", "but", "so", "also", "however", "then", "moreover", "furthermore"})

# A shorter sentence may stand twice, such as a label in a list.
MIN_SAID_WORDS = 3

# A sentence that adds or lacks no more than this share of words at its ends says the same.
MIN_SHARED_RUN = 0.8

_MARKER = r"[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]*"
_ITEM_MARKER = re.compile(_MARKER)
_BARE_MARKER = re.compile(rf"^{_MARKER}(?:\n|\Z)", re.MULTILINE)


def drop_repeated(text: str) -> str:
    """Return a text without the sentences that say again, in the same words, what an earlier one has said."""
    said: list[list[str]] = []
    kept = ""
    position = 0
    for sentence in split_sentences(text):
        words = _read_said(sentence.text)
        if len(words) >= MIN_SAID_WORDS and any(_say_same(words, earlier) for earlier in said):
            kept += text[position : sentence.start]
            # A whole line goes with its end.
            position = _skip(text, sentence.end, " \t\n" if kept.endswith("\n") else " \t")
        said.append(words)
    return _BARE_MARKER.sub("", kept + text[position:]).rstrip() if position else text


def _skip(text: str, position: int, blanks: str) -> int:
    return len(text) - len(text[position:].lstrip(blanks))


def _read_said(sentence: str) -> list[str]:
    """Return the words of a sentence without a list marker and without fillers."""
    words = read_words(_skip_marker(sentence))
    return [word.key for word in words if word.text.lower() not in FILLERS]


def _skip_marker(sentence: str) -> str:
    return sentence[marker.end() if (marker := _ITEM_MARKER.match(sentence)) else 0 :]


def _say_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether one run of words is the other, or nearly all of it; another number or order says something else."""
    short, long = sorted((one, other), key=len)
    if len(short) < MIN_SHARED_RUN * len(long):
        return False
    return any(long[start : start + len(short)] == short for start in range(len(long) - len(short) + 1))
