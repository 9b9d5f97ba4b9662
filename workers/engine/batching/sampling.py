"""Sampling of the next tokens of every request of a batch, each by its own parameters.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Only the blocks with the largest
scores are sorted: sorting a vocabulary of 262,144 costs more than computing its logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch

from workers.engine.block_topk import block_argmax, block_topk
from workers.generation import GenerationParams


@dataclass(frozen=True, slots=True)
class Sampler:
    """Samples one request's next tokens.

    Args:
        params: of the request.
        generator: of its random numbers; None for torch's global one.
        seen: ids of the prompt and of the output so far.
        proposed: speculative tokens; there is a row of logits after each.
        eos_ids: ids that end the generation.
        suppressed: ids that are never sampled.
        forbidden: ids that a schema forbids, bool (rows, vocabulary), for ``forbid_tokens``; None for free text.
    """

    params: GenerationParams
    generator: torch.Generator | None = None
    seen: Sequence[int] = ()
    proposed: Sequence[int] = ()
    eos_ids: Set[int] = frozenset()
    suppressed: Sequence[int] = ()
    forbidden: torch.Tensor | None = None

    @property
    def rows(self) -> int:
        """Number of rows of logits."""
        return len(self.proposed) + 1

    @property
    def top_count(self) -> int:
        """Number of a row's largest logits, after the penalty, that sampling depends on; 0 for all."""
        if self.params.repetition_penalty < 1.0:
            return 0
        return self.params.top_k if self.params.do_sample else 1

    @property
    def penalized(self) -> Sequence[int]:
        """Ids whose logits are lowered in some row, by the repetition penalty or because they are suppressed."""
        seen = [*self.seen, *self.proposed] if self.params.repetition_penalty > 1.0 else ()
        return [*seen, *self.suppressed]


def sample_tokens(scores: torch.Tensor, samplers: Sequence[Sampler]) -> list[list[int]]:
    """Return each request's accepted tokens and the one sampled after them.

    Args:
        scores: logits (rows, vocabulary), float32, the rows of each request in turn, without those of forbidden ids;
            changed in place by repetition penalties and suppressed ids.
        samplers: one for each request.
    """
    if samplers[0].suppressed:
        # The same ones for all requests of the weights.
        scores[:, samplers[0].suppressed] = -torch.inf
    best: list[int] = []
    if any(not sampler.params.do_sample and sampler.params.repetition_penalty == 1.0 for sampler in samplers):
        best = block_argmax(scores).tolist()
    starts = accumulate((sampler.rows for sampler in samplers), initial=0)
    return [list(_verify(sampler, scores, best, start)) for sampler, start in zip(samplers, starts, strict=False)]


def forbid_tokens(scores: torch.Tensor, samplers: Sequence[Sampler]) -> None:
    """Set the logits (rows, vocabulary) of ids that a schema forbids to minus infinity, in the rows of its request."""
    start = 0
    for sampler in samplers:
        rows = scores[start : start + sampler.rows]
        if sampler.forbidden is not None and scores.device.type == "cpu":
            # By NumPy: torch would use all threads for this millisecond, and wait for them on a busy machine.
            np.copyto(rows.numpy(), -np.inf, where=sampler.forbidden.numpy())
        elif sampler.forbidden is not None:
            rows.masked_fill_(sampler.forbidden.to(scores.device), -torch.inf)
        start += sampler.rows


def _verify(sampler: Sampler, scores: torch.Tensor, best: list[int], start: int) -> Iterator[int]:
    """Yield a token for each row, up to the first that differs from the proposed one (Leviathan et al. 2023)."""
    params = sampler.params
    for index in range(sampler.rows):
        row = scores[start + index]
        if params.repetition_penalty != 1.0:
            penalize_seen(row, [*sampler.seen, *sampler.proposed[:index]], params.repetition_penalty)
        if params.do_sample:
            token = sample_token(row, params, sampler.generator)
        elif params.repetition_penalty != 1.0:
            token = int(block_argmax(row.unsqueeze(0)))
        else:
            token = best[start + index]
        yield token
        if index == len(sampler.proposed) or token != sampler.proposed[index] or token in sampler.eos_ids:
            return


def penalize_seen(row: torch.Tensor, seen: Sequence[int], penalty: float) -> None:
    """Apply the repetition penalty to the logits (vocabulary,) of seen tokens, in place (CTRL, Keskar et al. 2019)."""
    ids = torch.tensor(seen, device=row.device)
    values = row[ids]
    row[ids] = torch.where(values < 0, values * penalty, values / penalty)


def sample_token(row: torch.Tensor, params: GenerationParams, generator: torch.Generator | None) -> int:
    """Sample a token of logits (vocabulary,) by temperature, top-k and top-p (Holtzman et al. 2020)."""
    values, ids = block_topk(row, min(params.top_k or row.numel(), row.numel()))
    # Subtracted before the division, which could overflow at a very low temperature.
    probabilities = torch.softmax((values - values[0]) / params.temperature, dim=-1)
    # Compares the sum before each token, so that the most likely one is always kept.
    probabilities[probabilities.cumsum(dim=-1) - probabilities >= params.top_p] = 0
    return int(ids[torch.multinomial(probabilities, 1, generator=generator)[0]])
