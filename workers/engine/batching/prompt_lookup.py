"""Prompt lookup decoding (Saxena 2023): proposes speculative tokens from a request's own prompt and output.

A summary copies from its source, and a repeated phrase continues as before, so the tokens that followed an earlier
occurrence of the last n-gram are likely to follow again. A forward pass takes hardly longer with a few tokens more,
since it loads the same weights, and each accepted token saves a step; the output stays the same (speculative decoding,
Leviathan et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine.attention_plan import MAX_PROPOSED

# Lengths in tokens of the n-grams that are looked up, in this order.
NGRAM_SIZES = (3, 2)
# Tokens of a request's first proposal.
FIRST_PROPOSED = 3


class PromptLookup:
    """Proposes speculative tokens for one request.

    Args:
        ids: its prompt, and its output so far.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        # The position after the last occurrence of each n-gram.
        self._followers: dict[tuple[int, ...], int] = {}
        self.proposal_size = FIRST_PROPOSED
        self._append(ids)

    def propose(self, limit: int) -> list[int]:
        """Return up to ``limit`` tokens that may come next, none if the last n-gram is new."""
        for size in NGRAM_SIZES:
            start = self._followers.get(tuple(self._ids[-size:]))
            if start is not None:
                period = len(self._ids) - start
                return [self._ids[start + step % period] for step in range(min(limit, self.proposal_size))]
        return []

    def record_tokens(self, tokens: Sequence[int], *, proposed: int) -> None:
        """Append new tokens; the next proposal doubles if all were accepted, else shrinks to the accepted count.

        Args:
            tokens: the accepted tokens, and the one sampled after them.
            proposed: number of tokens that were proposed.
        """
        accepted = len(tokens) - 1
        if proposed:
            is_all = accepted == proposed
            self.proposal_size = min(2 * self.proposal_size, MAX_PROPOSED) if is_all else max(accepted, 1)
        self._append(tokens)

    def _append(self, ids: Sequence[int]) -> None:
        for token in ids:
            for size in NGRAM_SIZES:
                if len(self._ids) >= size:
                    self._followers[tuple(self._ids[-size:])] = len(self._ids)
            self._ids.append(token)
