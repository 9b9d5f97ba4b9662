"""Memory estimate of a training run, to refuse one that would run out of memory hours after its start."""

from __future__ import annotations

from typing import Any

from workers.engine.device import Placement
from workers.finetuning.config import FinetuneConfig
from workers.finetuning.errors import NotEnoughMemoryError
from workers.finetuning.verifier_config import VerifierConfig

# Bytes per adapter parameter: value, gradient and the optimizer's two moments, each in float32.
ADAPTER_BYTES = 16
# Bytes per nf4 value: half a byte, and its share of the scales.
NF4_BYTES = 0.56
# Logits, softmax and gradient are in memory together.
LOGIT_COPIES = 3
# Activations kept for the backward pass, per token and layer, as multiples of the layer's widths.
HIDDEN_COPIES, INTERMEDIATE_COPIES = 18, 4


def estimate_memory(
    config: FinetuneConfig | VerifierConfig,
    weights_config: Any,
    placement: Placement,
    *,
    longest: int,
    max_completion: int,
) -> int:
    """Estimate the peak memory of a run in bytes.

    Args:
        config: configuration of the run.
        weights_config: the base's transformers configuration.
        placement: device and dtype of the run.
        longest: length of the longest example, in tokens.
        max_completion: length of the longest summary, in tokens.
    """
    sizes = weights_config.get_text_config()
    hidden, layers, vocabulary = sizes.hidden_size, sizes.num_hidden_layers, sizes.vocab_size
    attention = (sizes.num_attention_heads + sizes.num_key_value_heads) * sizes.head_dim
    linear = layers * hidden * (3 * sizes.intermediate_size + 2 * attention)
    adapter = layers * config.lora.r * (11 * hidden + 3 * sizes.intermediate_size + 2 * attention)
    linear_bytes = NF4_BYTES if placement.quantization == "nf4" else placement.dtype.itemsize
    tokens = config.training.batch_size * longest
    kept_layers = 1 if config.training.gradient_checkpointing else layers
    activations = tokens * kept_layers * (HIDDEN_COPIES * hidden + INTERMEDIATE_COPIES * sizes.intermediate_size)
    # The head scores every position with loss in any row of the batch, and summaries begin at different positions.
    scored = max_completion if config.training.batch_size == 1 else longest
    logits = config.training.batch_size * scored * vocabulary * LOGIT_COPIES
    return round(
        linear * linear_bytes
        + vocabulary * hidden * placement.dtype.itemsize
        + adapter * ADAPTER_BYTES
        + (activations + logits) * 4
    )


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
