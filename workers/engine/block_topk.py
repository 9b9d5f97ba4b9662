"""The largest scores of rows as wide as a vocabulary, found block by block: faster than ``torch.topk`` on a CPU."""

from __future__ import annotations

import torch

# Scores whose largest is found first.
BLOCK = 128


def block_argmax(scores: torch.Tensor) -> torch.Tensor:
    """Return the first of the largest scores (rows,) of each row (rows, vocabulary); faster than ``argmax``."""
    if scores.shape[1] % BLOCK:
        return scores.argmax(dim=-1)
    blocks = scores.view(*scores.shape[:-1], -1, BLOCK)
    first = blocks.amax(dim=-1).argmax(dim=-1)
    return first * BLOCK + blocks[torch.arange(len(blocks), device=scores.device), first].argmax(dim=-1)


def block_topk(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest scores (..., count) of rows (..., vocabulary), and where they are; faster than ``topk``."""
    size = scores.shape[-1]
    if size % BLOCK or count > size // BLOCK:
        return torch.topk(scores, count)
    blocks = scores.view(*scores.shape[:-1], -1, BLOCK)
    # No block but those with the largest maxima can hold one of them.
    best = blocks.amax(dim=-1).topk(count).indices
    held = blocks.take_along_dim(best.unsqueeze(-1), dim=-2).flatten(-2)
    values, places = torch.topk(held, count)
    return values, best.take_along_dim(places // BLOCK, dim=-1) * BLOCK + places % BLOCK
