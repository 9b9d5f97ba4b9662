"""Repetition detection: answers that loop over words, sentences or characters, or copy the prompt or its source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile

# Minimum length of a loop, in words and in rounds of its unit.
MIN_LOOP_WORDS = 12
MIN_LOOP_ROUNDS = 3

# Longest unit of a loop, in words: about two sentences.
MAX_UNIT_WORDS = 50

# Up to half of the sentences or lines may be repeated; the share is meaningless for fewer than this many.
MIN_SENTENCES = 6
MAX_REPEATED_SHARE = 0.5

_GLYPH_LOOP = re.compile(r"(\S{1,8}?)\1{19,}|(\S{9,50}?)\2{5,}")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese put no spaces between words: each of their characters counts as one.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_SENTENCE = re.compile(r"[^.!?\n\u3002\uff0c\uff1b\uff01\uff1f]+")


def has_loop(text: str) -> bool:
    """Tell whether a text repeats itself: by words, by sentences, or within a word without spaces."""
    words = _WORD.findall(text.casefold())
    is_looping = any(_has_period(words, period) for period in range(1, min(MAX_UNIT_WORDS, len(words)) + 1))
    return is_looping or _repeats_sentences(text) or _has_glyph_loop(text)


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
    sentences = [" ".join(sentence.casefold().split()) for sentence in _SENTENCE.findall(text)]
    counts = Counter(sentence for sentence in sentences if any(map(str.isalpha, sentence)))
    total = counts.total()
    return total >= MIN_SENTENCES and 1 - len(counts) / total > MAX_REPEATED_SHARE


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
    return " ".join(text.casefold().split())
