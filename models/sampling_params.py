"""Sampling parameters: names, defaults and allowed ranges, for job options, the engine and the command line.

The module imports only the standard library, because ``--help`` and the pure core of the worker import it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Parameters of sampling or beam search; the defaults sample conservatively.

    Args:
        do_sample: False takes the likeliest token.
        temperature: divisor of the logits.
        top_k: number of the likeliest tokens to sample from; 0 for all.
        top_p: cumulative probability of the tokens to sample from (Holtzman et al. 2020).
        num_beams: beams of a beam search; 1 for none.
        max_new_tokens: maximum length of the output.
        repetition_penalty: penalty on the logits of tokens that occur already (Keskar et al. 2019); 1 for none.
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
    """Allowed range of a number.

    Args:
        minimum: lower bound.
        maximum: inclusive upper bound.
        is_above: whether the lower bound is exclusive.
    """

    minimum: float
    maximum: float
    is_above: bool = False


PARAMETERS = SamplingParams.__slots__
RANGES = {
    # Below this, logits divided by it overflow, and the probabilities are not numbers.
    "temperature": NumberRange(0.01, 10),
    "top_k": NumberRange(0, 1_000_000),
    "top_p": NumberRange(0, 1, is_above=True),
    # More beams need more memory than any answer is worth.
    "num_beams": NumberRange(1, 32),
    "max_new_tokens": NumberRange(1, 1_000_000),
    "repetition_penalty": NumberRange(0.1, 10),
    # The range of a 64-bit column.
    "seed": NumberRange(-(2**63), 2**63 - 1),
}
