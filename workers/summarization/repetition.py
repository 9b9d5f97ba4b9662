"""Repetition loops: weights that have lost the thread say the same thing until their tokens run out."""

from __future__ import annotations

import re
from collections import Counter

# A loop is at least so many words long, and at least so many times its own unit.
MIN_LOOP_WORDS = 12
MIN_LOOP_ROUNDS = 3

# The longest unit that is looked for, in words: about two sentences.
MAX_UNIT_WORDS = 50

# Of at least so many sentences or lines, half may be repeated.
MIN_SENTENCES = 6
MAX_REPEATED_SHARE = 0.5

_GLYPH_LOOP = re.compile(r"(\S{1,8}?)\1{19,}|(\S{9,50}?)\2{5,}")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese put no spaces between words: each of their characters counts as one.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_SENTENCE = re.compile(r"[^.!?\n\u3002\uff0c\uff1b\uff01\uff1f]+")


def has_loop(text: str) -> bool:
    """Tell whether a text goes round in a circle: by words, by sentences, or within one endless word."""
    words = _WORD.findall(text.casefold())
    is_looping = any(_has_period(words, period) for period in range(1, min(MAX_UNIT_WORDS, len(words)) + 1))
    return is_looping or _repeats_sentences(text) or _has_glyph_loop(text)


def _has_period(words: list[str], period: int) -> bool:
    """Tell whether a run of words equals the words one period before it for long enough."""
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
    """Tell whether letters or digits repeat without a space; rules and table borders may."""
    return any(any(map(str.isalnum, match[1] or match[2])) for match in _GLYPH_LOOP.finditer(text))
