"""Likelihood gain: pointwise mutual information of the source and each sentence of the summary.

The gain is the log-probability of a sentence given the source, minus its log-probability without the source, per token
(PMI against hallucination: van der Poel et al., EMNLP 2022; the first term alone is BARTScore: Yuan et al., NeurIPS
2021). Weakness: any sentence with rare words of the source gains, true or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from workers.generation import Part, Prompt, PromptFormat, TextGenerator, Turn

# Scored characters of a sentence: bounds the memory of the logits for a pathological one.
SCORED_CHARACTERS = 600


def cut_sentences(sentences: Sequence[str]) -> list[str]:
    """Truncate sentences to the scored length."""
    return [sentence[:SCORED_CHARACTERS] for sentence in sentences]


def measure_gains(
    generator: TextGenerator, sentences: Sequence[str], informed: Mapping[str, float]
) -> list[float | None]:
    """Return each sentence's gain in nats per token; None for a sentence that was not scored.

    Args:
        generator: engine that scores.
        sentences: truncated sentences.
        informed: log-probability given the source in nats, for the sentences that fit the context.
    """
    fitting = [text for text in sentences if text in informed]
    blind = score_texts(generator, condition_on_nothing(generator.prompt_format), fitting)
    return [
        (informed[text] - blind[text]) / max(1, generator.count_tokens(text)) if text in blind else None
        for text in sentences
    ]


# Base weights continue "TL;DR:" with a summary (Radford et al. 2019).
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
    """Return the prompt whose continuation is a summary without a given text."""
    words = _CHAT_NOTHING if prompt_format is PromptFormat.CHAT else _COMPLETION_CUE
    return Prompt((Turn("user", (Part(words),)),), prompt_format)


def continue_with(text: str, prompt_format: PromptFormat) -> str:
    """Return a text as it follows the prompt: after a space in the completion format."""
    return text if prompt_format is PromptFormat.CHAT else f" {text}"


def score_texts(generator: TextGenerator, prompt: Prompt, texts: Iterable[str]) -> dict[str, float]:
    """Return the log-probability of each text after the prompt, in nats, without those that do not fit the context.

    The engine pads the texts of a batch to one length, so they are sorted by length.
    """
    room = generator.context_tokens - generator.count_prompt_tokens(prompt)
    ordered = {text: continue_with(text, prompt.format) for text in sorted(set(texts), key=len)}
    fitting = {text: behind for text, behind in ordered.items() if generator.count_tokens(behind) <= room}
    scores = generator.score_continuations(prompt, list(fitting.values())) if fitting else []
    return dict(zip(fitting, scores, strict=True))
