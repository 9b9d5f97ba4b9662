"""From the dtype of the weights' file to the one that they are served in, and onto their device, tensor by tensor.

transformers reads all tensors of a file at once before it converts them, which takes up to three times the memory of
the weights that are served.
"""

from __future__ import annotations

from typing import Any

import torch

from workers.engine.cpu.memory import release_pages

# Numbers that are converted at a time, 64 MB of float32; bounds the memory beside the weights.
NUMBERS_AT_ONCE = 1 << 24


def convert_network(network: Any, *, dtype: torch.dtype, device: str) -> Any:
    """Convert every parameter of a network on the CPU, move it to its device, and return the network."""
    for parameter in network.parameters():
        stored = parameter.data
        parameter.data = convert_tensor(stored, dtype).to(device)
        if parameter.data is not stored:
            release_pages(stored)
    for module in network.modules():
        if hasattr(module, "scalar_embed_scale"):
            # transformers has rounded it to the dtype of the file already.
            module.embed_scale = torch.tensor(module.scalar_embed_scale, dtype=dtype)
    network.config.dtype = dtype
    return network.to(device)


def convert_tensor(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor in another dtype; one that has it already is returned as it is."""
    if tensor.dtype is dtype:
        return tensor
    converted = torch.empty_like(tensor, dtype=dtype)
    pieces = (torch.split(numbers.view(-1), NUMBERS_AT_ONCE) for numbers in (tensor, converted))
    for source, target in zip(*pieces, strict=True):
        target.copy_(source)
        release_pages(source)
    return converted
