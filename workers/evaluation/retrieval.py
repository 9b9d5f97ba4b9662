"""Excerpts: the passages of a long source that match a summary best by BM25 (Robertson et al. 1994)."""

from __future__ import annotations

from collections.abc import Iterator

import bm25s

from workers.evaluation.lexical import Sentence, read_words, split_sentences
from workers.generation import TokenCounter

# Long enough to keep a fact with its context, short enough for several passages in one prompt.
PASSAGE_TOKENS = 128


def pick_excerpt(source: str, query: str, *, counter: TokenCounter, budget_tokens: int) -> str:
    """Return a source within the budget whole, otherwise its passages that match the query best, in source order.

    Args:
        source: the document.
        query: text to match, usually the summary.
        counter: token counter of the weights whose prompt gets the excerpt.
        budget_tokens: maximum tokens of the excerpt.
    """
    # A token has at least one byte of UTF-8, so a text this short fits without counting.
    if len(source.encode()) <= budget_tokens or counter.count_tokens(source) <= budget_tokens:
        return source.strip()
    passages = list(_split_passages(source, counter, min(PASSAGE_TOKENS, budget_tokens)))
    chosen: list[int] = []
    room = budget_tokens
    for place in _rank_passages(passages, query):
        tokens = counter.count_tokens(passages[place]) + 1  # the line break between two passages
        if tokens <= room:
            chosen.append(place)
            room -= tokens
    return "\n".join(passages[place] for place in sorted(chosen))


def _rank_passages(passages: list[str], query: str) -> list[int]:
    """Return the indices of the passages, the best match first."""
    corpus = [[word.key for word in read_words(passage)] for passage in passages]
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    wanted = [word.key for word in read_words(query) if word.is_content]
    scores = index.get_scores(wanted) if wanted else [0.0] * len(passages)
    return sorted(range(len(passages)), key=lambda place: -float(scores[place]))


def _split_passages(source: str, counter: TokenCounter, max_tokens: int) -> Iterator[str]:
    """Yield runs of whole sentences as passages; cut a sentence that is too long for one between words."""
    start, end, size = 0, 0, 0
    for piece in _split_pieces(source, counter, max_tokens):
        tokens = counter.count_tokens(piece.text)
        if size and size + tokens > max_tokens:
            yield source[start:end]
            start, size = piece.start, 0
        start = start if size else piece.start
        end, size = piece.end, size + tokens
    if size:
        yield source[start:end]


def _split_pieces(source: str, counter: TokenCounter, max_tokens: int) -> Iterator[Sentence]:
    for sentence in split_sentences(source):
        yield from _halve(sentence, counter, max_tokens)


def _halve(piece: Sentence, counter: TokenCounter, max_tokens: int) -> Iterator[Sentence]:
    """Yield a piece, or recursively its halves if it is too long, cut at a space if there is one."""
    if counter.count_tokens(piece.text) <= max_tokens or len(piece.text) < 2:
        yield piece
        return
    middle = len(piece.text) // 2
    space = piece.text.find(" ", middle)
    cut = space if space >= 0 else middle
    for start, end in ((0, cut), (cut, len(piece.text))):
        yield from _halve(Sentence(piece.text[start:end], piece.start + start, piece.start + end), counter, max_tokens)
