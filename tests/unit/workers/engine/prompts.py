"""Prompts and parameters that the tests of the engine share."""

from __future__ import annotations

from dataclasses import replace

from workers.generation import GenerationParams, Part, Prompt, PromptFormat, Turn

GREEDY = GenerationParams(do_sample=False, max_new_tokens=24)
HOT = GenerationParams(temperature=3.0, top_k=0, top_p=1.0, repetition_penalty=1.8, max_new_tokens=24)
# A seed with which "tell" does not happen to stop before somebody stops it.
LONG = replace(HOT, max_new_tokens=3000, repetition_penalty=1.0, seed=1)


def ask(text: str, *, stop: tuple[str, ...] = (), prompt_format: PromptFormat = PromptFormat.CHAT) -> Prompt:
    """Return a prompt of one turn whose text is not trusted."""
    return Prompt((Turn("user", (Part(text, is_untrusted=True),)),), format=prompt_format, stop=stop)
