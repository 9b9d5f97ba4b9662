"""Token counters that need no tokenizer: one exact, and two that are not additive, as real ones are not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workers.generation import Prompt


class CharacterCounter:
    """One token a character: makes sizes in tests as plain as in LangChain's own examples."""

    def count_tokens(self, text: str) -> int:
        return len(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        return self.count_tokens(prompt.text) + 5 * len(prompt.turns)


class WordCounter(CharacterCounter):
    """Words in pieces of four and runs of white space: joining two texts may merge tokens."""

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w{1,4}|\s+|[^\w\s]", text))


class CrossCounter(CharacterCounter):
    """A counter for which a whole can be a little larger than its parts together."""

    def count_tokens(self, text: str) -> int:
        return (len(text.encode("utf-8", "surrogatepass")) + 2) // 3 + text.count(". ") // 2


@dataclass
class CountingCounter:
    """Counts the calls of another counter."""

    inner: CharacterCounter
    calls: int = 0

    def count_tokens(self, text: str) -> int:
        self.calls += 1
        return self.inner.count_tokens(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        self.calls += 1
        return self.inner.count_prompt_tokens(prompt)
