"""Choosing the next tokens of every request of a batch, each by its own parameters.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Only the best of the best blocks of
scores are ever sorted: sorting a vocabulary of 262,144 costs more than computing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

import torch

from workers.engine.block_topk import block_argmax, block_topk
from workers.generation import GenerationParams


@dataclass(frozen=True, slots=True)
class Sampler:
    """How one request's next tokens are chosen.

    Args:
        params: of the request.
        generator: its random numbers; None for the shared ones.
        seen: the ids so far.
        draft: guesses of what comes next; there is a row of scores after each.
        ends: ids after which nothing comes.
    """

    params: GenerationParams
    generator: torch.Generator | None = None
    seen: Sequence[int] = ()
    draft: Sequence[int] = ()
    ends: Set[int] = frozenset()

    @property
    def rows(self) -> int:
        """Rows of scores that it looks at."""
        return len(self.draft) + 1

    @property
    def wanted(self) -> int:
        """How many of the largest scores of a row, when some are lowered, decide what is chosen; 0 for all of them."""
        if self.params.repetition_penalty < 1.0:
            return 0
        return self.params.top_k if self.params.do_sample else 1

    @property
    def lowered(self) -> Sequence[int]:
        """The ids, at least those of any row, whose scores a penalty makes smaller."""
        return [*self.seen, *self.draft] if self.params.repetition_penalty > 1.0 else ()


def sample_tokens(scores: torch.Tensor, samplers: Sequence[Sampler]) -> list[list[int]]:
    """Return of every request the guesses that hold and the token after them, at least one token.

    Args:
        scores: logits (rows, vocabulary), float32, those of one request after those of another; changed in place by
            repetition penalties.
        samplers: of the requests.
    """
    best: list[int] = []
    if any(not sampler.params.do_sample and sampler.params.repetition_penalty == 1.0 for sampler in samplers):
        best = block_argmax(scores).tolist()
    starts = accumulate((sampler.rows for sampler in samplers), initial=0)
    return [list(_run(sampler, scores, best, start)) for sampler, start in zip(samplers, starts, strict=False)]


def _run(sampler: Sampler, scores: torch.Tensor, best: list[int], start: int) -> Iterator[int]:
    params = sampler.params
    for place in range(sampler.rows):
        row = scores[start + place]
        if params.repetition_penalty != 1.0:
            penalize_seen(row, [*sampler.seen, *sampler.draft[:place]], params.repetition_penalty)
        if params.do_sample:
            token = sample_token(row, params, sampler.generator)
        elif params.repetition_penalty != 1.0:
            token = int(block_argmax(row.unsqueeze(0)))
        else:
            token = best[start + place]
        yield token
        if place == len(sampler.draft) or token != sampler.draft[place] or token in sampler.ends:
            return


def penalize_seen(row: torch.Tensor, seen: Sequence[int], penalty: float) -> None:
    """Make every token that was seen less likely, in place (CTRL, Keskar et al. 2019)."""
    ids = torch.tensor(seen, device=row.device)
    values = row[ids]
    row[ids] = torch.where(values < 0, values * penalty, values / penalty)


def sample_token(row: torch.Tensor, params: GenerationParams, generator: torch.Generator | None) -> int:
    """Return one token of a row (vocabulary,) of logits by temperature, top-k and top-p (Holtzman et al. 2020)."""
    values, ids = block_topk(row, min(params.top_k or row.numel(), row.numel()))
    # The largest is taken off first: a very low temperature would make it infinite.
    chances = torch.softmax((values - values[0]) / params.temperature, dim=-1)
    # A token stays while those before it have not yet reached top_p, so the likeliest one always stays.
    chances[chances.cumsum(dim=-1) - chances >= params.top_p] = 0
    return int(ids[torch.multinomial(chances, 1, generator=generator)[0]])
