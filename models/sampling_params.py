"""Sampling parameters: names, defaults and valid ranges.

A job's options, the engine's parameters and the command line share them. This module imports only the standard library,
for a fast ``--help`` and for the pure core of the worker.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Sampling parameters of a request; the defaults sample conservatively.

    Args:
        do_sample: sample; False decodes greedily.
        temperature: divisor of the logits.
        top_k: number of candidates for the next token; 0 for all.
        top_p: cumulative probability of the candidates (nucleus sampling, Holtzman et al. 2020).
        num_beams: number of beams; 1 for no beam search.
        max_new_tokens: maximum length of the output in tokens.
        repetition_penalty: divisor of the logits of tokens that have occurred (Keskar et al. 2019).
        seed: seed of the random numbers; None for a new one per request.
    """

    do_sample: bool = True
    temperature: float = 0.1
    top_k: int = 20
    top_p: float = 0.3
    num_beams: int = 1
    max_new_tokens: int = 512
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Valid range of a number.

    Args:
        minimum: lower bound.
        maximum: upper bound, inclusive.
        is_above: exclude the lower bound.
    """

    minimum: float
    maximum: float
    is_above: bool = False


PARAMETERS = SamplingParams.__slots__
RANGES = {
    # Below this, the divided logits overflow their dtype, and the probabilities become NaN.
    "temperature": NumberRange(0.01, 10),
    "top_k": NumberRange(0, 1_000_000),
    "top_p": NumberRange(0, 1, is_above=True),
    # Bounds the memory of a request.
    "num_beams": NumberRange(1, 32),
    "max_new_tokens": NumberRange(1, 1_000_000),
    "repetition_penalty": NumberRange(0.1, 10),
    # Range of a signed 64-bit integer.
    "seed": NumberRange(-(2**63), 2**63 - 1),
}
