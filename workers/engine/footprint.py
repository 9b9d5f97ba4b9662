"""Memory of weights, from the headers of their files and the config alone: loading, served or trained.

A quantization applies to linear layers only. Embeddings, norms and the experts of a mixture, which are no linear layers
to PyTorch, keep the serving dtype: with Gemma's large vocabulary they can be most of what 4-bit weights take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from workers.engine.conversion import LAYER_EMBEDDINGS
from workers.engine.cpu.chunked_linear import CHUNK_OUTPUTS, MAX_THREADS
from workers.engine.cpu.int8 import has_exact_int8
from workers.engine.cpu.onednn import has_onednn
from workers.engine.cpu.screened_head import can_screen_logits
from workers.engine.device import Placement
from workers.engine.geometry import read_layers
from workers.engine.quantization import MEASURED_ROWS
from workers.weights.folder import TensorEntry

# End of the name of a head that has weights of its own.
HEAD = "lm_head.weight"
# FBGEMM pads the inputs of a packed layer to blocks of this size.
PACKED_INPUTS = 512
# Bytes per output of an int8 layer: its scale, and for FBGEMM its zero point and offset.
OUTPUT_BYTES = {"cpu": 12, "cuda": 4}
# Bytes per nf4 weight: half a byte; a scale of one byte for 64 of them; and for 256 such scales one of four bytes.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# Bytes per weight of a chunk of the head while it is packed: quantized, as a tensor of torch, and packed.
PACKING_BYTES = 3
# Layers in the serving dtype that bitsandbytes holds beside the result while it quantizes one.
QUANTIZING_COPIES = 3
# Names of safetensors' types that are the serving dtype.
STORED_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
FLOAT_BYTES = 4
# Kind of weights whose layers are fused, and so packed a whole layer at a time.
FUSED_KIND = "gemma3_text"
# Hidden states of a layer in memory at a time: residual, normalized, projected and new ones.
STATE_COPIES = 6


@dataclass(frozen=True, slots=True)
class WeightsFootprint:
    """Bytes of one set of weights.

    Args:
        served: as they are served.
        peak: most while they load.
    """

    served: int
    peak: int


def measure_weights(
    tensors: Mapping[str, TensorEntry], text_config: Any, placement: Placement, *, has_adapter: bool = False
) -> WeightsFootprint:
    """Return the memory of weights, without the memory that computing with them needs.

    Args:
        tensors: of their files, by name; those of towers for images and sound are not loaded.
        text_config: transformers' config of the text network.
        placement: device, dtype and quantization.
        has_adapter: whether an adapter is merged, which is done before anything is quantized.
    """
    tensors = select_loaded(tensors, placement)
    # Tensors that a file on the CPU holds in the serving dtype stay mapped from it.
    stored, is_on_cpu = STORED_DTYPES[placement.dtype_name], placement.device == "cpu"
    is_mapped = is_on_cpu and not has_adapter and all(entry.dtype == stored for entry in tensors.values())
    loaded = 0 if is_mapped else count_bytes(tensors, replace(placement, quantization="none"))
    if not is_on_cpu or is_bitsandbytes(placement):
        served = count_bytes(tensors, placement)
        largest = max((entry.elements for name, entry in tensors.items() if is_linear(name, entry)), default=0)
        copies = QUANTIZING_COPIES * largest * placement.dtype.itemsize if is_bitsandbytes(placement) else 0
        return WeightsFootprint(served, max(served + copies, loaded if has_adapter else 0))
    own = {name: entry for name, entry in tensors.items() if name.endswith(HEAD)}
    is_tied = not own or bool(getattr(text_config, "tie_word_embeddings", False))
    head = (text_config.vocab_size, text_config.hidden_size)
    served = count_bytes({name: entry for name, entry in tensors.items() if name not in own}, placement)
    served += count_head_bytes(head, text_config, placement, is_tied=is_tied, is_packed=is_mapped)
    # The layers are packed while all tensors are loaded, and the head when they are freed.
    layers = loaded + count_packing_bytes(tensors, text_config, placement)
    chunks = min(torch.get_num_threads(), MAX_THREADS) * min(CHUNK_OUTPUTS, head[0])
    return WeightsFootprint(served, max(layers, served + PACKING_BYTES * chunks * head[1]))


def select_loaded(tensors: Mapping[str, TensorEntry], placement: Placement) -> dict[str, TensorEntry]:
    """Return the tensors of the text network that take memory; a CPU reads rows of some embeddings from their file."""
    has_towers, stored = any("language_model." in name for name in tensors), STORED_DTYPES[placement.dtype_name]
    keeps_rows = placement.device == "cpu" and not is_bitsandbytes(placement)
    return {
        name: entry
        for name, entry in tensors.items()
        if (not has_towers or "language_model." in name or name.endswith(HEAD))
        and not (keeps_rows and LAYER_EMBEDDINGS in name and entry.dtype != stored)
    }


def count_bytes(tensors: Mapping[str, TensorEntry], placement: Placement) -> int:
    """Return the bytes of tensors of a text network, with linear layers as they are quantized and all else as it is."""
    return sum(
        count_linear_bytes(entry.shape, choose_precision(name, placement))
        if is_linear(name, entry)
        else entry.elements * placement.dtype.itemsize
        for name, entry in tensors.items()
    )


def choose_precision(name: str, placement: Placement) -> Placement:
    """Return the placement of a linear layer; on a CPU those after an activation suffer from int8, and get float16."""
    is_half = placement.is_int8_on_cpu and name.endswith("down_proj.weight")
    return replace(placement, quantization="half") if is_half else placement


def is_linear(name: str, entry: TensorEntry) -> bool:
    """Return whether a tensor is the weight of a linear layer that quantization applies to."""
    is_matrix = len(entry.shape) == 2 and name.endswith(".weight")
    return is_matrix and not name.endswith(HEAD) and ".embed_tokens" not in name and ".experts." not in name


def count_linear_bytes(shape: tuple[int, ...], placement: Placement) -> int:
    """Return the bytes of a linear layer of a shape (outputs, inputs) as it is served."""
    outputs, inputs = shape
    if placement.quantization == "none":
        return outputs * inputs * placement.dtype.itemsize
    if placement.quantization == "bf16":
        return 2 * outputs * inputs
    if placement.quantization == "nf4":
        return math.ceil(outputs * inputs * NF4_BYTES)
    packed = -(-inputs // PACKED_INPUTS) * PACKED_INPUTS
    if placement.quantization == "half":
        return 2 * outputs * packed
    is_fbgemm = placement.device == "cpu" and not has_exact_int8()
    return outputs * ((packed if is_fbgemm else inputs) + OUTPUT_BYTES[placement.device])


def count_head_bytes(
    shape: tuple[int, int], text_config: Any, placement: Placement, *, is_tied: bool, is_packed: bool
) -> int:
    """Return the bytes of the head beside the embedding.

    Args:
        shape: (outputs, inputs).
        text_config: transformers' config of the text network.
        placement: device, dtype and quantization.
        is_tied: whether its weights are those of the embedding.
        is_packed: whether a head on a CPU that keeps its dtype is packed, which copies it.
    """
    exact = math.prod(shape) * placement.dtype.itemsize
    own = 0 if is_tied else exact
    if placement.device != "cpu" or placement.quantization == "nf4":
        return own
    as_int8 = count_linear_bytes(shape, replace(placement, quantization="int8"))
    if placement.quantization == "int8":
        return as_int8
    if can_screen_logits(text_config, placement.dtype):
        return own + as_int8
    if placement.quantization in {"bf16", "half"}:
        return count_linear_bytes(shape, replace(placement, quantization="half"))
    return exact if is_packed and has_onednn(placement.dtype) else own


def count_packing_bytes(tensors: Mapping[str, TensorEntry], text_config: Any, placement: Placement) -> int:
    """Return the bytes that packing a CPU's layers needs beside them: of each thread's layer, and inputs for int8."""
    linears = {name: entry for name, entry in tensors.items() if is_linear(name, entry)}
    layers, threads = text_config.num_hidden_layers, min(torch.get_num_threads(), MAX_THREADS)
    if placement.is_int8_on_cpu:
        return MEASURED_ROWS * FLOAT_BYTES * sum(entry.shape[1] for entry in linears.values())
    if text_config.model_type == FUSED_KIND:
        return min(threads, layers) * count_bytes(linears, placement) // layers
    return max((count_linear_bytes(entry.shape, placement) for entry in linears.values()), default=0)


def count_activation_bytes(text_config: Any, *, tokens: int, positions: int, itemsize: int) -> int:
    """Return the bytes of a forward pass without attention.

    Args:
        text_config: transformers' config of the text network.
        tokens: of the pass.
        positions: tokens whose logits are computed.
        itemsize: bytes of a number.
    """
    widest = 3 * max(list_intermediates(text_config)) + STATE_COPIES * text_config.hidden_size
    return itemsize * (tokens * widest + positions * text_config.vocab_size)


def is_bitsandbytes(placement: Placement) -> bool:
    """Return whether bitsandbytes quantizes the linear layers, while they are loaded."""
    return placement.quantization in {"int8", "nf4"} and not placement.is_int8_on_cpu


def list_intermediates(text_config: Any) -> list[int]:
    """Return the intermediate sizes of the layers, of those with a mixture of experts including the chosen ones."""
    sizes, layers = text_config.intermediate_size, text_config.num_hidden_layers
    sizes = list(sizes) if isinstance(sizes, Sequence) else [sizes] * layers
    if getattr(text_config, "use_double_wide_mlp", False):
        # Of layers that read the keys of others.
        sizes = [size * (1 + layer.is_shared) for size, layer in zip(sizes, read_layers(text_config), strict=True)]
    experts = (getattr(text_config, "top_k_experts", None) or 0) * (
        getattr(text_config, "moe_intermediate_size", None) or 0
    )
    return [size + experts for size in sizes]
