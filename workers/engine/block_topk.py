"""Top-k and argmax of rows as wide as a vocabulary, block by block: faster than torch's own on a CPU."""

from __future__ import annotations

import torch

# Scores of one block; the maxima of all blocks are found first.
BLOCK = 128


def block_argmax(scores: torch.Tensor) -> torch.Tensor:
    """Return the index (rows,) of the first largest score of each row (rows, vocabulary)."""
    if scores.shape[1] % BLOCK:
        return scores.argmax(dim=-1)
    blocks = scores.view(*scores.shape[:-1], -1, BLOCK)
    first = blocks.amax(dim=-1).argmax(dim=-1)
    return first * BLOCK + blocks[torch.arange(len(blocks), device=scores.device), first].argmax(dim=-1)


def block_topk(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest scores (..., count) of rows (..., vocabulary), and their indices."""
    size = scores.shape[-1]
    if size % BLOCK or count > size // BLOCK:
        return torch.topk(scores, count)
    blocks = scores.view(*scores.shape[:-1], -1, BLOCK)
    # Only the blocks with the largest maxima can contain any of them.
    best = blocks.amax(dim=-1).topk(count).indices
    kept = blocks.take_along_dim(best.unsqueeze(-1), dim=-2).flatten(-2)
    values, positions = torch.topk(kept, count)
    return values, best.take_along_dim(positions // BLOCK, dim=-1) * BLOCK + positions % BLOCK
