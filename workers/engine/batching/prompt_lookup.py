"""Guessing what a request says next from what it has read and said.

A summary copies from its source, and a repeated phrase goes on as it did before. So what followed the last tokens
where they stood earlier is a good guess (prompt lookup decoding, Saxena 2023; the general method is speculative
decoding, Leviathan et al. 2023). A pass that checks a few guesses takes hardly longer than one that does not, since it
reads the same weights, and every guess that holds saves a pass. What is said stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine.attention_plan import MAX_PROPOSED

# Tokens that must be the same, longest match first.
MATCHED = (3, 2)
# Tokens that a request's first guess has.
FIRST_PROPOSED = 3


class PromptLookup:
    """Guesses for one request.

    Args:
        ids: what it has read.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        # Of every few tokens the place of what followed them last.
        self._followers: dict[tuple[int, ...], int] = {}
        self.wanted = FIRST_PROPOSED
        self._append(ids)

    def draft(self, most: int) -> list[int]:
        """Return up to so many tokens that may come next, none if nothing like the last ones was there before."""
        for matched in MATCHED:
            place = self._followers.get(tuple(self._ids[-matched:]))
            if place is not None:
                period = len(self._ids) - place
                return [self._ids[place + step % period] for step in range(min(most, self.wanted))]
        return []

    def learn(self, tokens: Sequence[int], *, drafted: int) -> None:
        """Take in what was said, and guess more if every guess held, less if not.

        Args:
            tokens: the guesses that held, and the one token after them.
            drafted: guesses that there were.
        """
        held = len(tokens) - 1
        if drafted:
            self.wanted = min(2 * self.wanted, MAX_PROPOSED) if held == drafted else max(held, 1)
        self._append(tokens)

    def _append(self, ids: Sequence[int]) -> None:
        for token in ids:
            for matched in MATCHED:
                if len(self._ids) >= matched:
                    self._followers[tuple(self._ids[-matched:])] = len(self._ids)
            self._ids.append(token)
