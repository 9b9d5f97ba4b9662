"""Loading of weights from a folder: memory check, placement, adapter merge, quantization, test for finite logits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.full_disk import TEMPORARY_REMEDY, explain_full_disk
from workers.engine.adapter import merge_adapter
from workers.engine.architectures import translate_errors
from workers.engine.config import EngineConfig
from workers.engine.conversion import convert_network
from workers.engine.cpu.fused_gemma3 import can_fuse_layers, fuse_layers
from workers.engine.cpu.memory import is_mapped, measure_free_memory, trim_heap
from workers.engine.cpu.screened_head import can_screen_head, screen_head
from workers.engine.device import Placement, choose_placement
from workers.engine.errors import InsufficientMemoryError, NotFiniteError
from workers.engine.footprint import count_activation_bytes, measure_weights
from workers.engine.fused_norm import fuse_norms
from workers.engine.pretrained import read_config, read_network, read_vocabulary
from workers.engine.quantization import (
    build_bitsandbytes_config,
    convert_to_bfloat16,
    convert_to_float16,
    limit_repacking,
    prepack_linears,
    quantize_linears,
)
from workers.engine.ragged_attention import RAGGED
from workers.engine.sample import SAMPLE
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import PromptFormat
from workers.weights.fingerprint import Hashes, begin_hashing, compute_fingerprint
from workers.weights.folder import find_folder, list_tensors, read_prompt_format
from workers.weights.metadata import find_adapter

# Last positions of the sample whose logits are computed, a megabyte each; an earlier overflow reaches them too.
CHECKED_POSITIONS = 32
# Characters of a token of the sample, at least.
SAMPLE_TOKEN_LENGTH = 3


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Weights in memory, ready to serve.

    Args:
        network: the transformers causal language network, in evaluation mode.
        tokenizer: its tokenizer.
        prompt_format: chat or completion.
        placement: device, dtype and quantization.
        fingerprint: hash of config, tensors, adapter, dtype and quantization.
    """

    network: Any
    tokenizer: PromptTokenizer
    prompt_format: PromptFormat
    placement: Placement
    fingerprint: str


def load_weights(config: EngineConfig, hashing: Future[Hashes] | None = None) -> LoadedWeights:
    """Load the configured weights, and test that they can be served.

    Args:
        config: weights and settings.
        hashing: hashes of the weights and adapter, if their computation has begun.

    Raises:
        WeightsError: see the subclasses; every message contains the remedy.
    """
    folder = find_folder(config.weights, revision=config.revision)
    adapter = None if config.adapter is None else find_adapter(config.adapter, base=folder)
    weights_config = read_config(folder)
    placement = choose_placement(config)
    if config.device_map is None:
        check_memory(folder, weights_config, placement, has_adapter=adapter is not None)
    hashing = hashing or begin_hashing(folder, adapter)
    with translate_errors(weights_config.model_type, folder):
        tokenizer = PromptTokenizer(read_vocabulary(folder))
        trim_heap()
        network = load_network(folder, placement=placement, adapter=adapter, device_map=config.device_map)
        ids = tokenizer.encode_plain(SAMPLE)[: weights_config.max_position_embeddings]
        sample = torch.tensor([ids], device=network.device)
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
    """Load the tensors and merge the adapter at full precision; bitsandbytes then quantizes."""
    quantization_config = build_bitsandbytes_config(placement)
    if adapter is None:
        return _load_tensors(folder, placement, device_map, quantization_config)
    merged = merge_adapter(_load_tensors(folder, placement, device_map, None), folder=folder, adapter=adapter)
    if quantization_config is None:
        return merged
    # bitsandbytes quantizes during a load, so the merged weights are saved first.
    with tempfile.TemporaryDirectory(prefix="gistmill-merged-") as work:
        with explain_full_disk(Path(work), remedy=TEMPORARY_REMEDY):
            merged.save_pretrained(work)
        del merged
        return _load_tensors(Path(work), placement, device_map, quantization_config)


@torch.inference_mode()
def prepare_layers(network: Any, placement: Placement, sample: torch.Tensor, *, device_map: str | None) -> torch.Tensor:
    """Convert the layers to their serving form, in place; return the sample's hidden states (1, tokens, hidden size).

    Args:
        network: the loaded network.
        placement: device, dtype and quantization.
        sample: ids (1, tokens) of typical text.
        device_map: whether accelerate has spread the layers.
    """
    if placement.device == "cuda" and device_map is None:
        fuse_norms(network)
    prepare_linears = choose_linears(network, placement, device_map)
    hidden = None
    if device_map is None and placement.quantization != "nf4":
        if can_fuse_layers(network):
            fuse_layers(network, prepare_linears)
        if not placement.is_int8_on_cpu:
            # Before the head is screened, in the memory of layers that their packed forms have replaced.
            prepare_linears(network.base_model)
        if not placement.is_int8_on_cpu and can_screen_head(network):
            hidden = run_body(network, sample)
            screen_head(network, sample, hidden[0])
    prepare_linears(network)
    if placement.is_int8_on_cpu:
        tokens = sample.shape[1]
        # As positions: with their number, layers that share keys leave out the tokens before, and the mask of these.
        checked = torch.arange(max(tokens - CHECKED_POSITIONS, 0), tokens)
        quantize_linears(
            network,
            run_sample=lambda: network(input_ids=sample, logits_to_keep=checked),
            head=network.get_output_embeddings(),
        )
    return run_body(network, sample) if hidden is None else hidden


def run_body(network: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the hidden states (1, tokens, hidden size) before the head, of ids (1, tokens)."""
    hidden: torch.Tensor = network.base_model(input_ids=ids).last_hidden_state
    return hidden


def choose_linears(network: Any, placement: Placement, device_map: str | None) -> Callable[[nn.Module], None]:
    """Return a function that converts a module's linear layers, in place, to their serving form on a CPU."""
    if placement.quantization == "bf16":
        head = network.get_output_embeddings()
        return lambda module: convert_to_bfloat16(module, head=head)
    if placement.quantization == "half":
        return convert_to_float16
    if placement.can_prepack and device_map is None and is_mapped(network.get_input_embeddings().weight):
        # Converted weights are in memory already: prepacking a tied head would keep the embedding's twice.
        return prepack_linears
    return lambda _module: None


def _load_tensors(folder: Path, placement: Placement, device_map: str | None, quantization_config: Any) -> Any:
    # transformers places quantized and spread weights; all others stay mapped from their file, in its dtype.
    is_placed = device_map is not None or quantization_config is not None
    network = read_network(
        folder,
        dtype=placement.dtype if is_placed else "auto",
        attn_implementation=RAGGED,
        quantization_config=quantization_config,
        device_map=(device_map or placement.device) if is_placed else "cpu",
    )
    if not is_placed:
        return convert_network(network, dtype=placement.dtype, device=placement.device)
    limit_repacking(network)
    return network


def check_memory(folder: Path, weights_config: Any, placement: Placement, *, has_adapter: bool = False) -> None:
    """Refuse weights that do not fit the device, before they are loaded.

    Args:
        folder: of the weights.
        weights_config: transformers' config of the text network.
        placement: device, dtype and quantization.
        has_adapter: whether an adapter is merged.

    Raises:
        InsufficientMemoryError: loading them needs more than the free memory.
    """
    weights = measure_weights(list_tensors(folder), weights_config, placement, has_adapter=has_adapter)
    sample = count_activation_bytes(
        weights_config,
        tokens=len(SAMPLE) // SAMPLE_TOKEN_LENGTH,
        positions=CHECKED_POSITIONS,
        itemsize=placement.dtype.itemsize,
    )
    needed, free = weights.peak + sample, measure_free_memory(placement.device)
    if needed > free:
        raise InsufficientMemoryError(
            f"{folder} needs {needed / 2**30:.1f} GiB on {placement.device} and {free / 2**30:.1f} GiB are free; "
            "set quantization to int8 or nf4, device_map to auto, or name smaller weights"
        )


@torch.inference_mode()
def check_finite(network: Any, hidden: torch.Tensor, placement: Placement) -> None:
    """Refuse weights whose logits for typical hidden states (1, tokens, hidden size) are not all finite.

    Raises:
        NotFiniteError: with the dtype to use instead.
    """
    if torch.isfinite(network.get_output_embeddings()(hidden[:, -CHECKED_POSITIONS:])).all():
        return
    better = "bfloat16" if placement.dtype is torch.float16 and placement.device == "cuda" else "float32"
    advice = "check the weights' files" if better == placement.dtype_name else f"set dtype to {better}"
    raise NotFiniteError(
        f"these weights overflow in {placement.dtype_name} with quantization {placement.quantization}; {advice}"
    )
