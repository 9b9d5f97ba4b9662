"""Sampling parameters: their names, their defaults, and the range of each number that a user may ask for.

Defined here once. A job's options, the engine's parameters and the command line take them from here, so this module
imports nothing but the standard library: ``--help`` and the pure core of the worker read it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen, and how many at most; the defaults are conservative sampling.

    Args:
        do_sample: False takes the likeliest token.
        temperature: divides the scores.
        top_k: candidates for the next token; 0 for all.
        top_p: probability that the candidates reach together.
        num_beams: sequences of a beam search; 1 for none.
        max_new_tokens: longest output.
        repetition_penalty: divides the scores of tokens that are there already.
        seed: of the random numbers; None for a new one each time.
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
    """What a number may be.

    Args:
        minimum: the least.
        maximum: the largest.
        is_above: whether the minimum itself is left out.
    """

    minimum: float
    maximum: float
    is_above: bool = False


PARAMETERS = SamplingParams.__slots__
RANGES = {
    # Below this, scores divided by it run over the largest number of a dtype, and what is drawn is not a number.
    "temperature": NumberRange(0.01, 10),
    "top_k": NumberRange(0, 1_000_000),
    "top_p": NumberRange(0, 1, is_above=True),
    # More beams than this are more memory than any answer is worth.
    "num_beams": NumberRange(1, 32),
    "max_new_tokens": NumberRange(1, 1_000_000),
    "repetition_penalty": NumberRange(0.1, 10),
    # What a column of 64 bits holds.
    "seed": NumberRange(-(2**63), 2**63 - 1),
}
