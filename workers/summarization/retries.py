"""Retries: which parameters another try gets after guards fired, or after the summary was found untrue.

The same prompt with the same greedy parameters gives the same answer, so every try changes something that works
against what was wrong; an answer that was only cut goes on as it was, with more tokens. Tries are bounded, and their
seeds are fixed: a job that is run again takes the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workers.generation import GenerationParams
from workers.summarization.guards import Guard, Mark

# Tries after the first one: what two changes do not mend, a third rarely does, and each costs a whole generation.
MAX_RETRIES = 2

# More at a time makes weights avoid the words of the text itself, and invent others.
PENALTY_STEP = 0.05

# Enough warmth to leave a beaten track, by attempt.
TEMPERATURES = (0.4, 0.7)
WARM_TOP_P = 0.9
WARM_TOP_K = 50

_PENALIZED: frozenset[Guard] = frozenset({"repetition", "cut", "too-long", "echo"})


def retry_params(
    params: GenerationParams, marks: Iterable[Mark], *, attempt: int, max_tokens: int
) -> GenerationParams | None:
    """Return the parameters of another try, None if there have been enough.

    Args:
        params: those of the first try.
        marks: what was wrong with the latest try.
        attempt: number of this retry, from 1.
        max_tokens: most tokens that the answer may have (``Limits.allowed_answer_tokens``).
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
    """Return the parameters of a second summary of the same text: cool where the first was warm, else warm."""
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
