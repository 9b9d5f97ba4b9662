"""Uploads of small numbers from the host, which a GPU takes without making the host wait."""

from __future__ import annotations

from typing import Any

import torch


def upload(values: Any, device: torch.device | str, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Return nested lists of numbers as a tensor on a device."""
    # Only from pinned memory does a copy run beside the host.
    is_pinned = torch.device(device).type == "cuda"
    return torch.tensor(values, dtype=dtype, pin_memory=is_pinned).to(device, non_blocking=True)
