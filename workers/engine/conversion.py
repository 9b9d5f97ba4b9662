"""Conversion of weights from the dtype of their file to the serving dtype and device, tensor by tensor.

transformers loads all tensors before it converts them, which takes up to three times the memory of the served weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.engine.cpu.memory import is_mapped, release_pages

# Elements that are converted at a time, 64 MB of float32; bounds the memory beside the weights.
CHUNK_ELEMENTS = 1 << 24
# Factors of Gemma 3n by the network's hidden size, which no file holds.
FACTORS: dict[str, Callable[[int], float]] = {
    "router_input_scale": lambda size: size**-1.0,
    "per_layer_projection_scale": lambda size: size**-0.5,
    "per_layer_input_scale": lambda _size: 2.0**-0.5,
}
# Name of the embeddings that every layer adds, in the networks that have them.
LAYER_EMBEDDINGS = "embed_tokens_per_layer"


class StoredEmbedding(nn.Module):
    """Scaled embedding whose rows stay in their file until they are looked up, with the values of a converted one.

    Those of every layer (Gemma 3n and 4) are most of small weights, and a token needs one row.

    Args:
        weight: rows (tokens, size), mapped from a file.
        scale: factor on the rows.
        dtype: of the results.
    """

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor, scale: float, dtype: torch.dtype) -> None:
        super().__init__()
        # No parameter, which would be converted; under the name that the file has.
        self.register_buffer("weight", weight.detach())
        self._scale = torch.tensor(scale, dtype=dtype)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings (..., size) of ids (...)."""
        return self.weight[ids].to(self._scale.dtype) * self._scale


def keep_stored(network: Any, dtype: torch.dtype) -> None:
    """Leave the embeddings of every layer in their file, in place, if they would be converted."""
    embedding = getattr(network.base_model, LAYER_EMBEDDINGS, None)
    if embedding is not None and embedding.weight.dtype is not dtype and is_mapped(embedding.weight):
        stored = StoredEmbedding(embedding.weight, embedding.scalar_embed_scale, dtype)
        setattr(network.base_model, LAYER_EMBEDDINGS, stored)


def convert_network(network: Any, *, dtype: torch.dtype, device: str) -> Any:
    """Convert every parameter of a network on the CPU, move it to its device, and return the network."""
    if device == "cpu":
        keep_stored(network, dtype)
    for parameter in network.parameters():
        stored = parameter.data
        parameter.data = convert_tensor(stored, dtype).to(device)
        if parameter.data is not stored:
            release_pages(stored)
    # transformers has already rounded these factors to the dtype of the file.
    for module in network.modules():
        if hasattr(module, "scalar_embed_scale"):
            module.embed_scale = torch.tensor(module.scalar_embed_scale, dtype=dtype)
        for name, _ in list(module.named_buffers(recurse=False)):
            if name in FACTORS:
                setattr(module, name, torch.tensor(FACTORS[name](network.config.hidden_size), dtype=dtype))
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
