"""Memory estimate of a training run, to refuse one that would run out of memory hours after its start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.engine.device import Placement
from workers.engine.footprint import count_bytes, is_linear, list_intermediates, select_loaded
from workers.finetuning.config import FinetuneConfig
from workers.finetuning.errors import NotEnoughMemoryError
from workers.finetuning.lora import GEMMA_LINEAR_LAYERS
from workers.finetuning.verifier_config import VerifierConfig
from workers.weights.folder import TensorEntry

# Bytes per adapter parameter: value, gradient and the optimizer's two moments, each in float32.
ADAPTER_BYTES = 16
# Logits, softmax and gradient are in memory together.
LOGIT_COPIES = 3
# Activations kept for the backward pass, per token and layer, as multiples of the layer's widths.
HIDDEN_COPIES, INTERMEDIATE_COPIES = 18, 4


def estimate_memory(
    config: FinetuneConfig | VerifierConfig,
    tensors: Mapping[str, TensorEntry],
    weights_config: Any,
    placement: Placement,
    *,
    longest: int,
    max_completion: int,
) -> int:
    """Estimate the peak memory of a run in bytes.

    Args:
        config: configuration of the run.
        tensors: of the base's files, by name.
        weights_config: the base's transformers configuration.
        placement: device and dtype of the run.
        longest: length of the longest example, in tokens.
        max_completion: length of the longest summary, in tokens.
    """
    sizes, training = weights_config.get_text_config(), config.training
    tensors = select_loaded(tensors, placement)
    widths = [
        HIDDEN_COPIES * sizes.hidden_size + INTERMEDIATE_COPIES * intermediate
        for intermediate in list_intermediates(sizes)
    ]
    kept = max(widths) if training.gradient_checkpointing else sum(widths)
    activations = training.batch_size * longest * kept
    # The head scores every position with loss in any row of the batch, and summaries begin at different positions.
    scored = max_completion if training.batch_size == 1 else longest
    logits = training.batch_size * scored * sizes.vocab_size * LOGIT_COPIES
    adapter = config.lora.r * sum(sum(shape) for shape in list_adapted(tensors))
    return count_bytes(tensors, placement) + adapter * ADAPTER_BYTES + (activations + logits) * 4


def list_adapted(tensors: Mapping[str, TensorEntry]) -> list[tuple[int, ...]]:
    """Return the shapes (outputs, inputs) of the linear layers that get an adapter."""
    return [
        entry.shape
        for name, entry in tensors.items()
        if is_linear(name, entry) and name.split(".")[-2] in GEMMA_LINEAR_LAYERS
    ]


def check_memory(needed: int, *, free: int) -> None:
    """Refuse a run that needs more bytes than are free.

    Raises:
        NotEnoughMemoryError: the run would exceed the free memory.
    """
    if needed > free:
        raise NotEnoughMemoryError(
            f"training needs about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free: lower the batch size "
            "or the source tokens, switch gradient checkpointing on, or use --qlora"
        )
