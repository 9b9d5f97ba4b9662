"""Conversion of weights from the dtype of their file to the serving dtype and device, tensor by tensor.

transformers loads all tensors before it converts them, which takes up to three times the memory of the served weights.
"""

from __future__ import annotations

from typing import Any

import torch

from workers.engine.cpu.memory import release_pages

# Elements that are converted at a time, 64 MB of float32; bounds the memory beside the weights.
CHUNK_ELEMENTS = 1 << 24


def convert_network(network: Any, *, dtype: torch.dtype, device: str) -> Any:
    """Convert every parameter of a network on the CPU, move it to its device, and return the network."""
    for parameter in network.parameters():
        stored = parameter.data
        parameter.data = convert_tensor(stored, dtype).to(device)
        if parameter.data is not stored:
            release_pages(stored)
    for module in network.modules():
        if hasattr(module, "scalar_embed_scale"):
            # transformers has already rounded the factor to the dtype of the file.
            module.embed_scale = torch.tensor(module.scalar_embed_scale, dtype=dtype)
    network.config.dtype = dtype
    return network.to(device)


def convert_tensor(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor in a dtype; the same tensor if it already has it."""
    if tensor.dtype is dtype:
        return tensor
    converted = torch.empty_like(tensor, dtype=dtype)
    pieces = (torch.split(whole.view(-1), CHUNK_ELEMENTS) for whole in (tensor, converted))
    for source, target in zip(*pieces, strict=True):
        target.copy_(source)
        release_pages(source)
    return converted
