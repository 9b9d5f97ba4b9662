"""Generators for evaluation tests: one that scores like weights which know only their prompt, and one that chats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tests.fake_engine import FakeGenerator
from workers.evaluation.lexical import read_words
from workers.generation import Prompt, PromptFormat


class CopyingGenerator(FakeGenerator):
    """Base weights that find a text the likelier the more of its word pairs their prompt has."""

    prompt_format = PromptFormat.COMPLETION

    def __init__(self) -> None:
        super().__init__()
        self.scored: list[tuple[Prompt, Sequence[str]]] = []

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        self.scored.append((prompt, continuations))
        known = set(list_pairs(prompt.text))
        return [-1.0 - sum(pair not in known for pair in list_pairs(text)) for text in continuations]


def list_pairs(text: str) -> list[tuple[str, str]]:
    keys = [word.key for word in read_words(text)]
    return list(pairwise(keys))
