"""Passages: the sentences of a source that match claims best by BM25 (Robertson et al. 1994)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

import bm25s

from workers.evaluation.datelines import measure_dateline
from workers.evaluation.lexical import Sentence, Word, read_words
from workers.evaluation.writing import fold

# A sentence without words still needs a term, or the index is empty.
NO_WORD = "_"
# Shorter runs of words stand in many texts by chance.
MIN_VERBATIM_WORDS = 4
# Share of the words of the source's sentences that a copy of them must have: the rest of a sentence may deny its copy.
MIN_VERBATIM_SHARE = 0.75
# Places of a source that are looked at for a copy of whole sentences.
MAX_COPIES = 50


class PassageIndex:
    """Index of the sentences of a source.

    Args:
        sentences: all sentences, in order.
    """

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self._sentences = sentences
        words = [read_words(sentence.text) for sentence in sentences]
        self._keys = [[word.key for word in found] for found in words]
        self._sets = [frozenset(keys) for keys in self._keys]
        # Words of each sentence without its dateline, which its copy may leave out.
        self._sizes = [_count_said(sentence.text, found) for sentence, found in zip(sentences, words, strict=True)]
        self._index: bm25s.BM25 | None = None
        # Every word between spaces, so that a run of words is found as a substring; then where each sentence begins.
        pieces = [_write_run(found) for found in words]
        self._joined = "".join(pieces) + " "
        self._starts = list(accumulate(map(len, pieces), initial=0))

    def find_verbatim(self, claim: str) -> list[int]:
        """Return the indices of the neighbouring sentences in which a claim stands word for word; [] if nowhere."""
        words = read_words(claim)
        if len(words) < MIN_VERBATIM_WORDS:
            return []
        run = _write_run(words)
        start = -1
        for _ in range(MAX_COPIES):
            start = self._joined.find(f"{run} ", start + 1)
            if start < 0:
                break
            first = bisect_right(self._starts, start) - 1
            last = bisect_left(self._starts, start + len(run)) - 1
            places = [place for place in range(first, last + 1) if self._keys[place]]
            if len(words) >= MIN_VERBATIM_SHARE * sum(self._sizes[place] for place in places):
                return places
        return []

    def has_run(self, text: str) -> bool:
        """Tell whether the words of a text follow each other somewhere in the source."""
        return f"{_write_run(read_words(text))} " in self._joined

    def measure_coverage(self, claim: str) -> float:
        """Return the largest share of a claim's content words that stand in one sentence; 1 without any."""
        wanted = [word.key for word in read_words(claim) if word.is_content]
        if not wanted:
            return 1.0
        return max((sum(key in keys for key in wanted) for keys in self._sets), default=0) / len(wanted)

    def rank(self, claim: str) -> list[int]:
        """Return the indices of all sentences, the best match for a claim first."""
        wanted = [word.key for word in read_words(claim) if word.is_content]
        if not wanted or not self._sentences:
            return list(range(len(self._sentences)))
        if self._index is None:
            self._index = bm25s.BM25()
            self._index.index([keys or [NO_WORD] for keys in self._keys], show_progress=False)
        scores = self._index.get_scores(wanted)
        return sorted(range(len(self._sentences)), key=lambda place: -float(scores[place]))

    def pick_excerpt(self, claims: Sequence[str], *, count_tokens: Callable[[str], int], budget_tokens: int) -> str:
        """Return the sentences that match the claims best, in the order of the source, within a budget of tokens.

        The best sentence of every claim comes with its neighbours, which name what a pronoun in it stands for. A line
        break stands where sentences are left out.
        """
        taken: set[int] = set()
        room = budget_tokens
        for place in self._list_by_relevance(claims):
            if place in taken:
                continue
            tokens = count_tokens(self._sentences[place].text) + 1
            if tokens <= room:
                taken.add(place)
                room -= tokens
            elif room < budget_tokens // 16:
                break
        return self._join(sorted(taken))

    def _list_by_relevance(self, claims: Sequence[str]) -> list[int]:
        rankings = [self.rank(claim) for claim in claims]
        count = len(self._sentences)
        best = [place for ranking in rankings for place in ranking[:1]]
        beside = [near for place in best for near in (place - 1, place + 1) if 0 <= near < count]
        return [*best, *beside, *(ranking[rank] for rank in range(1, count) for ranking in rankings)]

    def _join(self, places: Sequence[int]) -> str:
        texts: list[str] = []
        for number, place in enumerate(places):
            if number:
                texts.append(" " if place == places[number - 1] + 1 else "\n")
            texts.append(self._sentences[place].text)
        return "".join(texts)


def _write_run(words: Sequence[Word]) -> str:
    """Return words as they are compared, each behind a space."""
    return "".join(f" {fold(word.text)}" for word in words)


def _count_said(sentence: str, words: Sequence[Word]) -> int:
    dateline = measure_dateline(sentence)
    return sum(1 for word in words if word.start >= dateline)
