"""RMSNorm of the Gemma family by one kernel on a GPU, where transformers starts ten small operations for each norm.

The host starts the kernels of a decode step one after the other, which takes longer than they compute, and most of them
are those of norms.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.engine.cpu.chunked_linear import find_places

# Kinds of norms that compute in float32, with the number that is added to their weights.
OFFSETS = {
    "GemmaRMSNorm": 1.0,
    "Gemma2RMSNorm": 1.0,
    "Gemma3RMSNorm": 1.0,
    "VaultGemmaRMSNorm": 1.0,
    "Gemma3nRMSNorm": 0.0,
    "Gemma4RMSNorm": 0.0,
    "Gemma4UnifiedRMSNorm": 0.0,
}


class KernelRMSNorm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019) in float32, for rows of any dtype.

    Args:
        weight: factor of the normalized rows (size,), in float32; None for none.
        eps: added to the mean of the squares.
    """

    def __init__(self, weight: torch.Tensor | None, eps: float) -> None:
        super().__init__()
        self.weight = None if weight is None else nn.Parameter(weight, requires_grad=False)
        self.eps = eps

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., size) of rows (..., size)."""
        normed = nn.functional.rms_norm(rows.float(), rows.shape[-1:], self.weight, self.eps)
        return normed.to(rows.dtype)


def fuse_norms(network: Any) -> None:
    """Replace the norms of a network in place; those of families that compute them in another way stay."""
    for module, name in find_places(network, nn.Module):
        norm = getattr(module, name)
        offset = OFFSETS.get(type(norm).__name__)
        if offset is not None:
            weight = getattr(norm, "weight", None)
            fused = None if weight is None else weight.detach().float() + offset
            setattr(module, name, KernelRMSNorm(fused, norm.eps))
