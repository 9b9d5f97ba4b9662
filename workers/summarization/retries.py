"""Retries: generation parameters of another try after guards fired or the summary was found unfaithful.

No try samples warmer than the user asked or may get longer: a warmer retry invents. A sampled answer is tried again
under another seed, a greedy one under a larger repetition penalty, which is all that can change it. Tries are bounded
and their seeds fixed, so a repeated job is deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workers.generation import GenerationParams
from workers.summarization.guards import Guard, Mark

# Retries after the first try: a third rarely helps after two have failed, and each costs a whole generation.
MAX_RETRIES = 2

# A greedy answer has one: a second step of the penalty suppresses the words of the source itself.
MAX_GREEDY_RETRIES = 1
PENALTY_STEP = 0.05

_PENALIZED: frozenset[Guard] = frozenset({"repetition", "cut", "too-long", "echo"})


def retry_params(params: GenerationParams, marks: Iterable[Mark], *, attempt: int) -> GenerationParams | None:
    """Return the parameters of another try; None after the last one.

    Args:
        params: parameters of the first try.
        marks: marks of the latest try.
        attempt: number of this retry, from 1.
    """
    if attempt > (MAX_RETRIES if params.do_sample else MAX_GREEDY_RETRIES):
        return None
    if not params.do_sample:
        return _penalize(params, attempt)
    changed = replace(params, seed=(params.seed or 0) + attempt)
    return _penalize(changed, attempt) if {mark.guard for mark in marks} & _PENALIZED else changed


def vary_params(params: GenerationParams) -> GenerationParams:
    """Return parameters for a second summary of the same text, which no retry of the first one had."""
    if params.do_sample:
        return replace(params, seed=(params.seed or 0) + MAX_RETRIES + 1)
    return _penalize(params, MAX_GREEDY_RETRIES + 1)


def _penalize(params: GenerationParams, steps: int) -> GenerationParams:
    return replace(params, repetition_penalty=params.repetition_penalty + steps * PENALTY_STEP)
