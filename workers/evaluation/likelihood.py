"""How much likelier the source makes each sentence of the summary: conditional pointwise mutual information.

A sentence's log-probability behind the source less its log-probability behind nothing, per token (PMI as van der Poel
et al., EMNLP 2022, use it against hallucination; the first half alone is BARTScore, Yuan et al., NeurIPS 2021).
Weakness: whatever shares rare words with the source gains, true or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from workers.generation import Part, Prompt, PromptFormat, TextGenerator, Turn

# More of a sentence is not scored: a pathological one must not fill the memory with its logits.
SCORED_CHARACTERS = 600


def cut_sentences(sentences: Sequence[str]) -> list[str]:
    """Return what is scored of each sentence."""
    return [sentence[:SCORED_CHARACTERS] for sentence in sentences]


def measure_gains(
    generator: TextGenerator, sentences: Sequence[str], informed: Mapping[str, float]
) -> list[float | None]:
    """Return how much likelier the source makes each sentence, in nats per token; None for one that was not scored.

    Args:
        generator: the weights that score.
        sentences: the cut sentences.
        informed: the log-probability behind the source of those that fit there.
    """
    fitting = [text for text in sentences if text in informed]
    blind = score_texts(generator, condition_on_nothing(generator.prompt_format), fitting)
    return [
        (informed[text] - blind[text]) / max(1, generator.count_tokens(text)) if text in blind else None
        for text in sentences
    ]


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


def score_texts(generator: TextGenerator, prompt: Prompt, texts: Iterable[str]) -> dict[str, float]:
    """Return the log-probability of each text behind the prompt; what does not fit the context there has none.

    The engine pads what it scores together to one length, so texts of like length go side by side.
    """
    room = generator.context_tokens - generator.count_prompt_tokens(prompt)
    ordered = {text: continue_with(text, prompt.format) for text in sorted(set(texts), key=len)}
    fitting = {text: behind for text, behind in ordered.items() if generator.count_tokens(behind) <= room}
    scores = generator.score_continuations(prompt, list(fitting.values())) if fitting else []
    return dict(zip(fitting, scores, strict=True))
