"""Prompts after which a summary is scored: behind an excerpt of its source, and behind nothing."""

from __future__ import annotations

from workers.generation import Part, Prompt, PromptFormat, Turn

# Base weights read "TL;DR:" as the beginning of a summary (Radford et al. 2019).
_COMPLETION_CUE = "TL;DR:"
_CHAT_REQUEST = "Summarize the following text truthfully, in a few sentences.\n\n"
_CHAT_NOTHING = "Write a few sentences of a news summary."


def condition_on(excerpt: str, prompt_format: PromptFormat) -> Prompt:
    """Return the prompt whose continuation is a summary of the excerpt."""
    text = Part(excerpt, is_untrusted=True)
    is_chat = prompt_format is PromptFormat.CHAT
    parts = (Part(_CHAT_REQUEST), text) if is_chat else (text, Part(f"\n\n{_COMPLETION_CUE}"))
    return Prompt((Turn("user", parts),), prompt_format)


def condition_on_nothing(prompt_format: PromptFormat) -> Prompt:
    """Return the prompt whose continuation is a summary of no text in particular."""
    words = _CHAT_NOTHING if prompt_format is PromptFormat.CHAT else _COMPLETION_CUE
    return Prompt((Turn("user", (Part(words),)),), prompt_format)


def continue_with(text: str, prompt_format: PromptFormat) -> str:
    """Return a text as it stands behind the prompt: a completion goes on after a space."""
    return text if prompt_format is PromptFormat.CHAT else f" {text}"
