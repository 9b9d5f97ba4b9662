"""From a folder to weights in memory: checked, placed, merged with their adapter, quantized, and proved finite."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from workers.engine.adapter import merge_adapter
from workers.engine.config import EngineConfig
from workers.engine.conversion import convert_network
from workers.engine.cpu.fused_gemma3 import can_fuse_layers, fuse_layers
from workers.engine.cpu.memory import is_mapped, measure_free_memory, trim_heap
from workers.engine.cpu.screened_head import can_screen_head, screen_head
from workers.engine.device import Placement, choose_placement
from workers.engine.errors import InsufficientMemoryError, NotFiniteError
from workers.engine.pretrained import read_config, read_network, read_vocabulary
from workers.engine.quantization import (
    build_bitsandbytes_config,
    halve_linears,
    pack_linears,
    quantize_linears,
    shorten_linears,
)
from workers.engine.ragged_attention import RAGGED
from workers.engine.sample import SAMPLE
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import PromptFormat
from workers.weights.fingerprint import Hashes, begin_hashing, compute_fingerprint
from workers.weights.folder import find_folder, list_tensors, read_prompt_format
from workers.weights.metadata import find_adapter

# Weights that are served also need room to be computed with.
MEMORY_MARGIN = 1.05
# Bits of one number of the linear layers, by quantization.
QUANTIZED_BITS = {"bf16": 16, "half": 16, "int8": 8, "nf4": 4}
# Last positions of the sample whose logits are computed, a megabyte each; what overflows earlier shows in them too.
CHECKED_POSITIONS = 32


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Weights in memory and all that is known about them.

    Args:
        network: the transformers causal language network, in evaluation mode.
        tokenizer: its tokenizer.
        prompt_format: how it wants to be prompted.
        placement: where and how it is served.
        fingerprint: identity of what generates.
    """

    network: Any
    tokenizer: PromptTokenizer
    prompt_format: PromptFormat
    placement: Placement
    fingerprint: str


def load_weights(config: EngineConfig, hashing: Future[Hashes] | None = None) -> LoadedWeights:
    """Load what the config names and prove that it can be served.

    Args:
        config: what to load and how.
        hashing: of its weights and adapter, if that has begun.

    Raises:
        WeightsError: see the subclasses; every message says what to do.
    """
    folder = find_folder(config.weights, revision=config.revision)
    adapter = None if config.adapter is None else find_adapter(config.adapter, base=folder)
    weights_config = read_config(folder)
    placement = choose_placement(config, weights_config)
    if config.device_map is None:
        check_memory(folder, placement)
    hashing = hashing or begin_hashing(folder, adapter)
    tokenizer = PromptTokenizer(read_vocabulary(folder))
    trim_heap()
    network = load_network(folder, placement=placement, adapter=adapter, device_map=config.device_map)
    sample = torch.tensor([tokenizer.encode_plain(SAMPLE)], device=network.device)
    hidden = prepare_layers(network, placement, sample, device_map=config.device_map)
    trim_heap()
    check_finite(network, hidden, placement)
    return LoadedWeights(
        network=network.requires_grad_(False),
        tokenizer=tokenizer,
        prompt_format=read_prompt_format(folder, adapter=adapter, has_chat_template=tokenizer.has_chat_template),
        placement=placement,
        fingerprint=compute_fingerprint(
            hashing.result(), dtype=placement.dtype_name, quantization=placement.quantization
        ),
    )


def load_network(folder: Path, *, placement: Placement, adapter: Path | None, device_map: str | None) -> Any:
    """Load the tensors and merge the adapter at full precision; weights for bitsandbytes come out quantized."""
    quantization_config = build_bitsandbytes_config(placement)
    if adapter is None:
        return _load_tensors(folder, placement, device_map, quantization_config)
    merged = merge_adapter(_load_tensors(folder, placement, device_map, None), folder=folder, adapter=adapter)
    if quantization_config is None:
        return merged
    # bitsandbytes quantizes while it loads, so the merged weights become a folder first.
    with tempfile.TemporaryDirectory(prefix="gistmill-merged-") as work:
        merged.save_pretrained(work)
        del merged
        return _load_tensors(Path(work), placement, device_map, quantization_config)


@torch.inference_mode()
def prepare_layers(network: Any, placement: Placement, sample: torch.Tensor, *, device_map: str | None) -> torch.Tensor:
    """Make the layers what a CPU serves them as, in place, and return what reaches the head (1, tokens, inputs).

    Args:
        network: as it was loaded.
        placement: how it is served.
        sample: usual text (1, tokens), which is run.
        device_map: whether accelerate has spread the layers.
    """
    prepare_linears = choose_linears(network, placement, device_map)
    hidden = None
    if device_map is None and placement.quantization != "nf4":
        if can_fuse_layers(network):
            fuse_layers(network, prepare_linears)
        if not placement.is_int8_on_cpu and can_screen_head(network):
            hidden = run_body(network, sample)
            screen_head(network, hidden[0])
    prepare_linears(network)
    if placement.is_int8_on_cpu:
        quantize_linears(
            network,
            run_sample=lambda: network(input_ids=sample, logits_to_keep=CHECKED_POSITIONS),
            head=network.get_output_embeddings(),
        )
    return run_body(network, sample) if hidden is None else hidden


def run_body(network: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return what reaches the head (1, tokens, inputs) of ids (1, tokens)."""
    hidden: torch.Tensor = network.base_model(input_ids=ids).last_hidden_state
    return hidden


def choose_linears(network: Any, placement: Placement, device_map: str | None) -> Callable[[nn.Module], None]:
    """Return what makes the linear layers in a module what a CPU serves them as, in place, without a look at others."""
    if placement.quantization == "bf16":
        head = network.get_output_embeddings()
        return lambda module: shorten_linears(module, head=head)
    if placement.quantization == "half":
        return halve_linears
    if placement.can_pack and device_map is None and is_mapped(network.get_input_embeddings().weight):
        # Weights that were converted are in memory: laid out, those of the embedding would be there twice.
        return pack_linears
    return lambda _module: None


def _load_tensors(folder: Path, placement: Placement, device_map: str | None, quantization_config: Any) -> Any:
    # transformers places what is quantized or spread; everything else stays mapped from its file, as it is there.
    is_placed = device_map is not None or quantization_config is not None
    network = read_network(
        folder,
        dtype=placement.dtype if is_placed else "auto",
        attn_implementation=choose_attention(read_config(folder), placement.device),
        quantization_config=quantization_config,
        device_map=(device_map or placement.device) if is_placed else "cpu",
    )
    return network if is_placed else convert_network(network, dtype=placement.dtype, device=placement.device)


def choose_attention(weights_config: Any, device: str) -> str:
    """Return the attention to serve with; in the loop only our own knows the capped scores of Gemma 2."""
    is_capped = getattr(weights_config.get_text_config(), "attn_logit_softcapping", None) is not None
    return RAGGED if device == "cpu" or is_capped else "sdpa"


def check_memory(folder: Path, placement: Placement) -> None:
    """Refuse weights that cannot fit the device, before reading them.

    Raises:
        InsufficientMemoryError: they are larger than what is free.
    """
    elements = sum(tensor.elements for tensor in list_tensors(folder).values())
    bits = QUANTIZED_BITS.get(placement.quantization, placement.dtype.itemsize * 8)
    needed, free = elements * bits / 8 * MEMORY_MARGIN, measure_free_memory(placement.device)
    if needed > free:
        raise InsufficientMemoryError(
            f"{folder} needs {needed / 2**30:.1f} GiB on {placement.device} and {free / 2**30:.1f} GiB are free; "
            "set quantization to int8 or nf4, device_map to auto, or name smaller weights"
        )


@torch.inference_mode()
def check_finite(network: Any, hidden: torch.Tensor, placement: Placement) -> None:
    """Refuse weights whose logits are not all finite after what usually reaches their head (1, tokens, inputs).

    Raises:
        NotFiniteError: they are not; the message names the dtype to use instead.
    """
    if torch.isfinite(network.get_output_embeddings()(hidden[:, -CHECKED_POSITIONS:])).all():
        return
    better = "bfloat16" if placement.dtype is torch.float16 and placement.device == "cuda" else "float32"
    advice = "check the weights' files" if better == placement.dtype_name else f"set dtype to {better}"
    raise NotFiniteError(
        f"these weights overflow in {placement.dtype_name} with quantization {placement.quantization}; {advice}"
    )
