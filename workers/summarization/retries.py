"""Retries: generation parameters of another try after guards fired or the summary was found unfaithful.

Greedy decoding repeats its answer, so every try changes a parameter that counters the fault; an answer that was only
cut keeps its parameters and gets more tokens. Tries are bounded and their seeds fixed, so a repeated job is
deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workers.generation import GenerationParams
from workers.summarization.guards import Guard, Mark

# Retries after the first try: a third rarely helps after two have failed, and each costs a whole generation.
MAX_RETRIES = 2

# A larger repetition penalty suppresses the words of the source itself and provokes hallucinations.
PENALTY_STEP = 0.05

# Sampling temperature by attempt, high enough to leave a repeated answer.
TEMPERATURES = (0.4, 0.7)
WARM_TOP_P = 0.9
WARM_TOP_K = 50

_PENALIZED: frozenset[Guard] = frozenset({"repetition", "cut", "too-long", "echo"})


def retry_params(
    params: GenerationParams, marks: Iterable[Mark], *, attempt: int, max_tokens: int
) -> GenerationParams | None:
    """Return the parameters of another try; None after the last one.

    Args:
        params: parameters of the first try.
        marks: marks of the latest try.
        attempt: number of this retry, from 1.
        max_tokens: maximum tokens of the answer (``Limits.allowed_answer_tokens``).
    """
    if attempt > MAX_RETRIES:
        return None
    fired = {mark.guard for mark in marks}
    longer = replace(params, max_new_tokens=max(params.max_new_tokens, max_tokens))
    if fired == {"cut"} and attempt == 1 and longer != params:
        return longer
    changed = replace(
        longer if fired == {"cut"} else params,
        do_sample=True,
        temperature=max(params.temperature, TEMPERATURES[attempt - 1]),
        top_p=max(params.top_p, WARM_TOP_P),
        top_k=max(params.top_k, WARM_TOP_K),
        seed=(params.seed or 0) + attempt,
    )
    if fired & _PENALIZED:
        changed = replace(changed, repetition_penalty=params.repetition_penalty + attempt * PENALTY_STEP)
    return changed


def vary_params(params: GenerationParams) -> GenerationParams:
    """Return parameters for a second summary of the same text: greedy if the first was sampled warm, else sampled."""
    if params.do_sample and params.temperature >= TEMPERATURES[0]:
        return replace(params, do_sample=False)
    return replace(
        params,
        do_sample=True,
        temperature=TEMPERATURES[0],
        top_p=max(params.top_p, WARM_TOP_P),
        top_k=max(params.top_k, WARM_TOP_K),
        seed=(params.seed or 0) + 1,
    )
