"""Choosing the next token of every request of a batch, each by its own parameters.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Only the ``top_k`` best scores are
ever sorted, because sorting a vocabulary of 262,144 costs more than computing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workers.generation import GenerationParams


def choose_tokens(scores: torch.Tensor, rows: Sequence[tuple[GenerationParams, Any, Sequence[int]]]) -> torch.Tensor:
    """Return the next token of every row.

    Args:
        scores: logits (rows, vocabulary), float32; changed in place by repetition penalties.
        rows: of each row its parameters, its random generator (None for the shared one) and the ids seen so far.

    Returns:
        Token ids (rows,).
    """
    for row, (params, _, seen) in zip(scores, rows, strict=True):
        if params.repetition_penalty != 1.0:
            penalize_seen(row, seen, params.repetition_penalty)
    tokens = scores.argmax(dim=-1)
    for index, (params, generator, _) in enumerate(rows):
        if params.do_sample:
            tokens[index] = sample_token(scores[index], params, generator)
    return tokens


def penalize_seen(row: torch.Tensor, seen: Sequence[int], penalty: float) -> None:
    """Make every token that was seen less likely, in place (CTRL, Keskar et al. 2019)."""
    ids = torch.tensor(seen, device=row.device)
    values = row[ids]
    row[ids] = torch.where(values < 0, values * penalty, values / penalty)


def sample_token(row: torch.Tensor, params: GenerationParams, generator: torch.Generator | None) -> torch.Tensor:
    """Return one token of a row (vocabulary,) of logits by temperature, top-k and top-p (Holtzman et al. 2020)."""
    kept = min(params.top_k or row.numel(), row.numel())
    values, ids = torch.topk(row, kept)
    chances = torch.softmax(values / params.temperature, dim=-1)
    # A token stays while those before it have not yet reached top_p, so the likeliest one always stays.
    chances[chances.cumsum(dim=-1) - chances >= params.top_p] = 0
    return ids[torch.multinomial(chances, 1, generator=generator)[0]]
