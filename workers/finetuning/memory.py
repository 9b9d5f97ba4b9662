"""How much memory a training run will need, so that it is refused before it starts rather than killed at night."""

from __future__ import annotations

from typing import Any

from workers.engine.device import Placement
from workers.finetuning.config import FinetuneConfig
from workers.finetuning.errors import NotEnoughMemoryError

# Adapter value, gradient and the optimizer's two moments, each in float32.
ADAPTER_BYTES = 16
# nf4 takes half a byte per value; its scales take the rest.
NF4_BYTES = 0.56
# Logits, their gradient and the softmax between them are alive at once.
LOGIT_COPIES = 3
# Values per token and layer that the backward pass needs, as multiples of the layer's own widths.
HIDDEN_COPIES, INTERMEDIATE_COPIES = 18, 4


def estimate_memory(
    config: FinetuneConfig, weights_config: Any, placement: Placement, *, longest: int, max_completion: int
) -> int:
    """Return roughly how many bytes a run needs at its peak.

    Args:
        config: the run.
        weights_config: the base's configuration, as transformers reads it.
        placement: device and dtype of the run.
        longest: tokens of the longest example.
        max_completion: tokens of the longest summary.
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
    # The head scores every position that carries loss in any row of the batch, and rows begin their summaries anywhere.
    scored = max_completion if config.training.batch_size == 1 else longest
    logits = config.training.batch_size * scored * vocabulary * LOGIT_COPIES
    return round(
        linear * linear_bytes
        + vocabulary * hidden * placement.dtype.itemsize
        + adapter * ADAPTER_BYTES
        + (activations + logits) * 4
    )


def check_memory(needed: int, *, free: int) -> None:
    """Refuse a run that the machine cannot hold.

    Raises:
        NotEnoughMemoryError: more is needed than is free.
    """
    if needed > free:
        raise NotEnoughMemoryError(
            f"training needs about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free: lower the batch size "
            "or the source tokens, switch gradient checkpointing on, or use --qlora"
        )
