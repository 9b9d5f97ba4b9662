"""Memory of weights, of the KV cache and of a forward pass, from the headers of the files and the config alone.

A quantization applies to linear layers only. Embeddings, norms and the experts of a mixture, which are no linear layers
to PyTorch, keep the serving dtype: with Gemma's large vocabulary they can be most of what 4-bit weights take.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from workers.engine.attention_plan import MAX_DECODE_QUERIES
from workers.engine.cpu.chunked_linear import CHUNK_OUTPUTS, MAX_THREADS
from workers.engine.cpu.onednn import has_onednn
from workers.engine.cpu.screened_head import can_screen_logits
from workers.engine.device import Placement
from workers.engine.geometry import LayerGeometry
from workers.weights.folder import TensorEntry

# Part of a tensor in the network; only linear layers and heads are quantized.
Role = Literal["linear", "head", "embedding", "other"]

# FBGEMM pads the inputs of a packed layer to blocks of this size.
PACKED_INPUTS = 512
# Bytes per output of an int8 layer: its scale, zero point and offset.
OUTPUT_BYTES = {"cpu": 12, "cuda": 4}
# Bytes per nf4 weight: half a byte; a scale of one byte for 64 of them; and for 256 such scales one of four bytes.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# Bytes per weight of a chunk of the head while it is packed: quantized, as a tensor of torch, and packed.
PACKING_BYTES = 3
# Layers in the serving dtype that bitsandbytes holds beside the result while it quantizes one.
QUANTIZING_COPIES = 2
# Names of safetensors' types that are the serving dtype.
STORED_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
# Bytes that transformers aligns the sectors of a cache to.
SECTOR_ALIGNMENT = 128
# Bytes of the index of a cached token, which are in memory once for each kind of layers.
INDEX_BYTES = 8
FLOAT_BYTES = 4
# Hidden states of a layer in memory at a time: residual, normalized, projected and new ones.
STATE_COPIES = 6
# Capped scores in memory at a time beside their softmax in float32: as computed, capped and hidden by the mask.
SCORE_COPIES = 3
# Bytes per logit: in float32, sorted, and as probabilities.
LOGIT_BYTES = 3 * FLOAT_BYTES


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
    tensors, itemsize = select_text(tensors), placement.dtype.itemsize
    roles = {name: find_role(name, entry) for name, entry in tensors.items()}
    linears = [entry.shape for name, entry in tensors.items() if roles[name] == "linear"]
    kept = sum(entry.elements for name, entry in tensors.items() if roles[name] in {"embedding", "other"})
    head = (text_config.vocab_size, text_config.hidden_size)
    is_tied = "head" not in roles.values() or bool(getattr(text_config, "tie_word_embeddings", False))
    # Tensors that a file on the CPU holds in the serving dtype stay mapped from it.
    stored = STORED_DTYPES[placement.dtype_name]
    is_mapped = placement.device == "cpu" and not has_adapter and all(e.dtype == stored for e in tensors.values())
    served = (
        kept * itemsize
        + sum(count_linear_bytes(shape, placement) for shape in linears)
        + count_head_bytes(head, text_config, placement, is_tied=is_tied, is_packed=is_mapped)
    )
    loaded = 0 if is_mapped else itemsize * sum(entry.elements for entry in tensors.values())
    if is_bitsandbytes(placement):
        quantized = served + QUANTIZING_COPIES * itemsize * max(map(math.prod, linears), default=0)
        return WeightsFootprint(served, max(quantized, loaded if has_adapter else 0))
    if placement.device == "cuda":
        return WeightsFootprint(served, served)
    return WeightsFootprint(served, max(served, loaded) + count_packing_bytes(head))


def select_text(tensors: Mapping[str, TensorEntry]) -> dict[str, TensorEntry]:
    """Return the tensors of the text network, without towers for images and sound."""
    has_towers = any("language_model." in name for name in tensors)
    return {
        name: entry
        for name, entry in tensors.items()
        if not has_towers or "language_model." in name or name.endswith("lm_head.weight")
    }


def find_role(name: str, entry: TensorEntry) -> Role:
    """Return the part of a tensor in its network."""
    if name.endswith("lm_head.weight"):
        return "head"
    if ".embed_tokens" in name:
        return "embedding"
    return "linear" if len(entry.shape) == 2 and name.endswith(".weight") and ".experts." not in name else "other"


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
    return outputs * ((packed if placement.device == "cpu" else inputs) + OUTPUT_BYTES[placement.device])


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


def count_packing_bytes(head: tuple[int, int]) -> int:
    """Return the bytes that packing a CPU's layers needs beside them: chunks of the head, one for each thread."""
    chunks = min(torch.get_num_threads(), MAX_THREADS)
    return PACKING_BYTES * chunks * min(CHUNK_OUTPUTS, head[0]) * head[1]


def is_bitsandbytes(placement: Placement) -> bool:
    """Return whether bitsandbytes quantizes the linear layers, while they are loaded."""
    return placement.quantization in {"int8", "nf4"} and not placement.is_int8_on_cpu


@dataclass(frozen=True, slots=True)
class CacheFootprint:
    """Memory of the paged KV cache, whose sectors are given out to the kinds of layers as requests need them.

    Args:
        block_bytes: of one page of tokens in all layers of a kind, for each kind.
        windows: maximum number of tokens of a request that each kind keeps; None for all.
        page_tokens: tokens of a page.
    """

    block_bytes: tuple[int, ...]
    windows: tuple[int | None, ...]
    page_tokens: int

    @property
    def sector_bytes(self) -> int:
        """Bytes of a sector, which blocks of any kind divide without a rest."""
        return math.lcm(*self.block_bytes, SECTOR_ALIGNMENT)

    @property
    def sector_rows(self) -> int:
        """Maximum number of tokens whose keys and values a sector takes, for the kind with the smallest blocks."""
        return self.sector_bytes // min(self.block_bytes) * self.page_tokens

    def count_sectors(self, tokens: int, *, requests: int = 1) -> int:
        """Return the sectors that requests of so many tokens each take together."""
        sectors = 0
        for block_bytes, window in zip(self.block_bytes, self.windows, strict=True):
            pages = math.ceil(min(tokens, window or tokens) / self.page_tokens)
            sectors += math.ceil(requests * pages * block_bytes / self.sector_bytes)
        return sectors

    def find_context(self, sectors: int, *, longest: int) -> int:
        """Return the tokens, at most ``longest``, of the longest request that so many sectors take."""
        if self.count_sectors(longest) <= sectors:
            return longest
        pages = range(1, math.ceil(longest / self.page_tokens))
        return self.page_tokens * bisect_right(
            pages, sectors, key=lambda count: self.count_sectors(count * self.page_tokens)
        )


def measure_cache(layers: Sequence[LayerGeometry], *, itemsize: int, page_tokens: int, spare: int) -> CacheFootprint:
    """Return the memory of the KV cache.

    Args:
        layers: of the weights; those that share another's keys take nothing.
        itemsize: bytes of a number.
        page_tokens: tokens of a page.
        spare: tokens by which the loop widens the windows.
    """
    kinds = {layer.kind: layer for layer in layers if not layer.is_shared}
    numbers = [sum(layer.numbers for layer in layers if layer.kind == kind) for kind in kinds]
    return CacheFootprint(
        tuple(page_tokens * itemsize * count for count in numbers),
        tuple(None if layer.window is None else layer.window + spare for layer in kinds.values()),
        page_tokens,
    )


@dataclass(frozen=True, slots=True)
class PassFootprint:
    """Memory of a forward pass of the loop beside weights and cache.

    Args:
        fixed: bytes whatever the cache holds.
        row: bytes for each token whose keys the cache can take.
        context_row: bytes for each token of the longest request.
    """

    fixed: int
    row: int
    context_row: int


def measure_pass(
    layers: Sequence[LayerGeometry], text_config: Any, *, itemsize: int, tokens: int, requests: int, is_masked: bool
) -> PassFootprint:
    """Return the memory of a forward pass.

    Args:
        layers: of the weights.
        text_config: transformers' config of the text network.
        itemsize: bytes of a number.
        tokens: maximum number of its tokens.
        requests: maximum number of its requests.
        is_masked: whether each token is computed against the keys of all requests, under masks of the whole cache;
            ragged attention takes the keys of one request at a time.
    """
    kinds, heads = len({layer.kind for layer in layers}), text_config.num_attention_heads
    keys, size = max(layer.numbers for layer in layers) * itemsize, max(layer.head_size for layer in layers)
    widest = heads * size + 3 * find_intermediate(text_config) + STATE_COPIES * text_config.hidden_size
    fixed = tokens * widest * itemsize + requests * text_config.vocab_size * LOGIT_BYTES
    if is_masked:
        # A mask for each kind, and a copy of one with aligned rows; keys and values, and both for all heads.
        masks = (kinds + 1) * tokens * itemsize
        return PassFootprint(
            fixed + tokens * masks, kinds * INDEX_BYTES + masks + keys + 2 * heads * size * itemsize, 0
        )
    # Of requests that decode: their keys and values, copied once to reorder heads, and the scores of a few tokens.
    decode = 2 * keys + 2 * heads * MAX_DECODE_QUERIES * FLOAT_BYTES
    # Of one request that prefills: its earlier keys and values, joined to the new ones, and its mask or scores.
    is_capped = getattr(text_config, "attn_logit_softcapping", None) is not None
    scores = heads * (SCORE_COPIES * itemsize + FLOAT_BYTES) if is_capped else 1 + FLOAT_BYTES
    return PassFootprint(fixed, kinds * INDEX_BYTES + decode, 2 * keys + tokens * scores)


def find_intermediate(text_config: Any) -> int:
    """Return the largest intermediate size of the layers."""
    sizes = text_config.intermediate_size
    factor = 2 if getattr(text_config, "use_double_wide_mlp", False) else 1
    return factor * (max(sizes) if isinstance(sizes, Sequence) else int(sizes))
