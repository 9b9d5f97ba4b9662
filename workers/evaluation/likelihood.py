"""How much likelier the source makes each sentence of the summary: conditional pointwise mutual information.

A sentence's log-probability behind the source less its log-probability behind nothing, per token (PMI as van der Poel
et al., EMNLP 2022, use it against hallucination; the first half alone is BARTScore, Yuan et al., NeurIPS 2021).
Weakness: whatever shares rare words with the source gains, true or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workers.evaluation.conditioning import condition_on_nothing
from workers.evaluation.scoring import score_texts
from workers.generation import TextGenerator

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
