"""Candidates: further answers to the same prompt where the source did not bear out all of the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from workers.generation import GenerationParams
from workers.summarization.grounded import GroundedAnswer

# Rise of the repetition penalty from one candidate to the next under greedy decoding, which repeats its answer.
CANDIDATE_PENALTY_STEP = 0.05
# Distance between the seeds of candidates; retries of each take the seeds between.
CANDIDATE_SEED_STEP = 101

Candidate = TypeVar("Candidate")


def vary_candidate(params: GenerationParams, number: int) -> GenerationParams:
    """Return the parameters of a further candidate, never warmer than those asked for.

    Args:
        params: of the first candidate.
        number: of this candidate, from 1.
    """
    if params.do_sample:
        return replace(params, seed=(params.seed or 0) + number * CANDIDATE_SEED_STEP)
    return replace(params, repetition_penalty=params.repetition_penalty + number * CANDIDATE_PENALTY_STEP)


def choose_best_grounded(candidates: Sequence[tuple[Candidate, GroundedAnswer]]) -> tuple[Candidate, GroundedAnswer]:
    """Return the candidate with the largest share of sentences that the source bears out; ties go to the earliest."""
    return max(candidates, key=lambda candidate: _measure_share(candidate[1]))


def _measure_share(grounded: GroundedAnswer) -> float:
    kept = sum(sentence.kind == "verified" for sentence in grounded.sentences)
    return kept / max(kept + grounded.replaced, 1)
