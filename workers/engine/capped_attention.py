"""Attention with capped scores (Gemma 2), which torch's own lacks."""

from __future__ import annotations

import torch

from workers.engine.attention_plan import build_mask


def attend_capped_batch(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scaling: float | None,
    softcap: float,
) -> torch.Tensor:
    """Return the attention (batch, queries, heads, head size) with capped scores, equal to transformers' eager one.

    Args:
        query: (batch, heads, queries, head size).
        key: (batch, key heads, keys, head size).
        value: as key.
        mask: which keys (batch, 1, queries, keys) each query sees; None for all up to its own.
        scaling: factor on the scores.
        softcap: largest score.
    """
    grouped = query.reshape(len(query), key.shape[1], -1, *query.shape[2:])
    mask = None if mask is None else mask.unsqueeze(1)
    attended = attend_capped(grouped, key.unsqueeze(2), value.unsqueeze(2), mask, scaling=scaling, softcap=softcap)
    return attended.flatten(1, 2).transpose(1, 2).contiguous()


def attend_capped(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scaling: float | None,
    softcap: float,
) -> torch.Tensor:
    """Return the attention (..., queries, head size) with capped scores.

    Args:
        query: (..., queries, head size).
        key: (..., keys, head size).
        value: as key.
        mask: which keys (..., queries, keys) each query sees; None for all up to its own.
        scaling: factor on the scores.
        softcap: largest score.
    """
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = cap_scores(query @ key.transpose(-1, -2) * factor, softcap)
    if mask is None:
        mask = build_mask(query.shape[-2], key.shape[-2], None, device=query.device)
    # Finite, because a query of padding may see no key at all, and softmax of -inf alone is NaN.
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value


def cap_scores(scores: torch.Tensor, softcap: float) -> torch.Tensor:
    """Return scores bounded smoothly by a cap and its negative (Gemma 2, 2024)."""
    return (scores / softcap).tanh() * softcap
