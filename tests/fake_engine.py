"""A text generator that needs no weights: one token a word, and answers that a test chooses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from workers.evaluation.lexical import split_sentences
from workers.generation import FinishReason, Generation, GenerationParams, Prompt, PromptFormat

Reply = Callable[[Prompt, GenerationParams], str]


def summarize_words(prompt: Prompt, params: GenerationParams) -> str:
    """Answer with one sentence that is different for different prompts and shorter than any of them."""
    text = read_source(prompt).split()
    return f"The part about {text[0].strip('#.,')} has {len(text)} words."


def copy_and_invent(prompt: Prompt, params: GenerationParams) -> str:
    """Answer with a sentence of the prompt, which strict grounding keeps, and with one that it replaces."""
    text = read_source(prompt)
    true = [sentence.text for sentence in split_sentences(text) if "value" in sentence.text]
    return " ".join([*true[:1], f"More than {len(text)} words follow here."])


def read_source(prompt: Prompt) -> str:
    """Return the text in a prompt that a summary must follow from."""
    return "\n".join(part.text for part in prompt.turns[-1].parts if part.is_untrusted)


class FakeGenerator:
    """Implements ``TextGenerator``."""

    fingerprint = "fake"
    prompt_format = PromptFormat.CHAT

    def __init__(
        self, reply: Reply = summarize_words, *, seconds: Callable[[], float] = lambda: 0, context_tokens: int = 8192
    ) -> None:
        self._reply = reply
        self._seconds = seconds
        self.context_tokens = context_tokens
        self.prompts: list[Prompt] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        return sum(self.count_tokens(turn.text) + 4 for turn in prompt.turns)

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        self.prompts.append(prompt)
        started = time.monotonic()
        pause = self._seconds()
        if cancelled is not None and cancelled.wait(pause):
            return self._end(prompt, "", FinishReason.CANCELLED, started)
        if deadline is not None and time.monotonic() > deadline:
            return self._end(prompt, "", FinishReason.DEADLINE, started)
        words = self._reply(prompt, params).split(" ")
        is_cut = len(words) > params.max_new_tokens
        reason = FinishReason.LENGTH if is_cut else FinishReason.STOP
        return self._end(prompt, " ".join(words[: params.max_new_tokens]), reason, started)

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        return [-float(len(text)) for text in continuations]

    def _end(self, prompt: Prompt, text: str, reason: FinishReason, started: float) -> Generation:
        return Generation(
            text=text,
            prompt_tokens=self.count_prompt_tokens(prompt),
            completion_tokens=self.count_tokens(text),
            finish_reason=reason,
            seconds=time.monotonic() - started,
        )
