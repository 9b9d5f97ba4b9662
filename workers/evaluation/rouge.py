"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries against references, by Google's rouge-score (Lin 2004).

The library's own tokenizer knows the letters a to z alone: it reads no word of Russian or Hindi, and "caf" in "café".
So it is used where it reads all letters, those of a few names aside; else a tokenizer of words in any script, with the
same stems for words of these letters, and of single letters in scripts without spaces. Scores are comparable only with
the same tokenizer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from workers.evaluation.writing import MARKS, UNSPACED, fold, fold_accents

RougeTokenizer = Literal["rouge-score", "unicode-words", "unicode-letters"]

ROUGE_METRICS = ("rouge1", "rouge2", "rougeL")

# Largest share of letters that are not ASCII in an English text with names from other languages.
MAX_OTHER_LETTERS = 0.01

_TOKEN = re.compile(rf"[{UNSPACED}][{MARKS}]*|\d+|[^\W_{UNSPACED}]+(?:[{MARKS}]+[^\W_{UNSPACED}]*)*")
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")


def score_rouge(summary: str, reference: str) -> dict[str, float]:
    """Return the F1 of one summary by metric, from 0 to 1, on stems."""
    scores = _load_scorer(choose_tokenizer(summary, reference)).score(reference, summary)
    return {name: float(scores[name].fmeasure) for name in ROUGE_METRICS}


def choose_tokenizer(summary: str, reference: str) -> RougeTokenizer:
    """Return the tokenizer for two texts; it reads single letters if the reference is in a script without spaces."""
    letters = [letter for text in (summary, reference) for letter in text if letter.isalnum()]
    if sum(not letter.isascii() for letter in letters) <= MAX_OTHER_LETTERS * len(letters):
        return "rouge-score"
    has_no_spaces = 2 * len(_UNSPACED_LETTER.findall(reference)) > sum(map(str.isalpha, reference))
    return "unicode-letters" if has_no_spaces else "unicode-words"


class UnicodeTokenizer(Tokenizer):  # type: ignore[misc]  # the library has no types
    """Tokenizer of any script: words without accents; letters where no spaces divide words."""

    def __init__(self) -> None:
        self._stemmer = DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text; words of ASCII letters as stems."""
        return [token for word in _TOKEN.findall(fold(text)) for token in self._stem(fold_accents(word))]

    def _stem(self, word: str) -> list[str]:
        return list(self._stemmer.tokenize(word)) if word.isascii() else [word]


@cache
def _load_scorer(tokenizer: RougeTokenizer) -> RougeScorer:
    own = None if tokenizer == "rouge-score" else UnicodeTokenizer()
    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True, tokenizer=own)
