"""Sampling of the next tokens of every request of a batch, each by its own parameters and random numbers.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Only the blocks with the largest
scores are sorted: sorting a vocabulary of 262,144 costs more than computing its logits. All requests are sampled by the
same few operations, and the host waits for the device once: when it reads their tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import torch

from workers.engine.block_topk import block_argmax, block_topk
from workers.engine.upload import upload
from workers.generation import GenerationParams


class Draws:
    """Random numbers of one request, a row for each of its tokens, whatever shares its batch.

    Args:
        generator: of its random numbers; None for torch's global one.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self._generator = generator
        self._ahead: list[torch.Tensor] = []

    def look_ahead(self, rows: int, numbers: int, device: torch.device) -> list[torch.Tensor]:
        """Return the rows of numbers, exponentially distributed, for the next tokens, and keep them."""
        while len(self._ahead) < rows:
            self._ahead.append(torch.empty(numbers, device=device).exponential_(generator=self._generator))
        return self._ahead[:rows]

    def advance(self, tokens: int) -> None:
        """Drop the rows of so many tokens; those of rejected speculative tokens serve the next ones."""
        del self._ahead[:tokens]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Samples one request's next tokens.

    Args:
        params: of the request.
        draws: its random numbers.
        seen: ids of the prompt and of the output so far.
        proposed: speculative tokens; there is a row of logits after each.
        eos_ids: ids that end the generation.
        suppressed: ids that are never sampled.
        forbidden: ids that a schema forbids, bool (rows, vocabulary), for ``forbid_tokens``; None for free text.
    """

    params: GenerationParams
    draws: Draws = field(default_factory=Draws)
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
        scores.index_fill_(1, upload(samplers[0].suppressed, scores.device), -torch.inf)
    starts = list(accumulate((sampler.rows for sampler in samplers), initial=0))
    penalize_seen(scores, list(zip(samplers, starts, strict=False)))
    is_greedy = any(not sampler.params.do_sample for sampler in samplers)
    tokens = block_argmax(scores) if is_greedy else torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    groups: dict[int, list[tuple[Sampler, int]]] = defaultdict(list)
    for sampler, start in zip(samplers, starts, strict=False):
        if sampler.params.do_sample:
            groups[min(sampler.params.top_k or scores.shape[1], scores.shape[1])].append((sampler, start))
    for candidates, group in groups.items():
        draw_tokens(scores, group, candidates, tokens)
    # The only wait of a step for the device.
    chosen = tokens.tolist()
    accepted = [verify(sampler, chosen[start:]) for sampler, start in zip(samplers, starts, strict=False)]
    for sampler, taken in zip(samplers, accepted, strict=True):
        sampler.draws.advance(len(taken))
    return accepted


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


def penalize_seen(scores: torch.Tensor, requests: Sequence[tuple[Sampler, int]]) -> None:
    """Apply the repetition penalty to the logits of seen tokens, in place (CTRL, Keskar et al. 2019).

    Args:
        scores: logits (rows, vocabulary).
        requests: samplers, each with its first row; a row counts the speculative tokens before it as seen.
    """
    rows: list[int] = []
    ids: list[int] = []
    penalties: list[float] = []
    for sampler, start in requests:
        if sampler.params.repetition_penalty == 1.0:
            continue
        for index in range(sampler.rows):
            seen = [*sampler.seen, *sampler.proposed[:index]]
            rows += [start + index] * len(seen)
            ids += seen
            penalties += [sampler.params.repetition_penalty] * len(seen)
    if not rows:
        return
    places = tuple(upload([rows, ids], scores.device))
    factors = upload(penalties, scores.device, torch.float32)
    values = scores[places]
    scores.index_put_(places, torch.where(values < 0, values * factors, values / factors))


def draw_tokens(
    scores: torch.Tensor, group: Sequence[tuple[Sampler, int]], candidates: int, tokens: torch.Tensor
) -> None:
    """Sample a token of each row by temperature, top-k and top-p (Holtzman et al. 2020).

    Args:
        scores: logits (rows, vocabulary) of all requests.
        group: samplers with the same top-k, each with its first row.
        candidates: that top-k.
        tokens: ids (rows,) of all requests, which take those of the group.
    """
    device = scores.device
    rows = [start + index for sampler, start in group for index in range(sampler.rows)]
    places = upload(rows, device)
    own = scores if len(rows) == len(scores) else scores.index_select(0, places)
    settings = [[sampler.params.temperature, sampler.params.top_p] for sampler, _ in group for _ in range(sampler.rows)]
    temperature, top_p = upload(settings, device, torch.float32).unsqueeze(2).unbind(1)
    values, ids = block_topk(own, candidates)
    # Subtracted before the division, which could overflow at a very low temperature.
    probabilities = torch.softmax((values - values[:, :1]) / temperature, dim=-1)
    # Compares the sum before each token, so that the most likely one is always kept.
    probabilities.masked_fill_(probabilities.cumsum(dim=-1) - probabilities >= top_p, 0)
    # The smallest of exponential numbers with the probabilities as their rates: a draw without a wait for the device.
    noise = torch.stack(
        [row for sampler, _ in group for row in sampler.draws.look_ahead(sampler.rows, candidates, device)]
    )
    drawn = (probabilities / noise).argmax(dim=-1, keepdim=True)
    tokens.index_copy_(0, places, ids.gather(1, drawn).squeeze(1))


def verify(sampler: Sampler, tokens: Sequence[int]) -> list[int]:
    """Return a request's tokens up to the first that differs from the proposed one (Leviathan et al. 2023)."""
    accepted: list[int] = []
    for proposed, token in zip([*sampler.proposed, None], tokens, strict=False):
        accepted.append(token)
        if token != proposed or token in sampler.eos_ids:
            break
    return accepted
