"""What an engine is started with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["auto", "float16", "bfloat16", "float32"]
Quantization = Literal["auto", "none", "bf16", "half", "int8", "nf4"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How to load and serve one set of weights.

    Args:
        weights: a folder with safetensors weights, or a hub id such as ``google/gemma-3-1b-it``.
        revision: branch, tag or commit of a hub id.
        adapter: a LoRA adapter (folder or hub id) that is merged at load; None for none.
        dtype: compute and storage type; ``auto`` picks the one that is safe for the weights on the device.
        quantization: ``none``, ``bf16`` or ``half`` (CPU: 16-bit weights, products in bfloat16 or float32), ``int8`` or
            ``nf4``; ``auto`` picks what serves users best on the device.
        device: ``auto`` takes the GPU where there is one.
        device_map: ``auto`` lets accelerate spread weights that do not fit one device; None keeps them on one.
        slots: most requests at a time.
        context_tokens: upper limit on prompt and completion together; None takes what weights and cache allow.
        kv_cache_gb: memory for the KV cache in GiB; None sizes it from slots, context and free memory.
        batch_tokens: most tokens in one forward pass; long prompts are prefilled in pieces of this size.
        lanes: generation loops side by side on a CPU; None takes two where there are two cores and two slots, and the
            cache has room for the longest request in each.
        is_speculative: whether speculative tokens are proposed and verified (see ``prompt_lookup``), on a CPU alone;
            the output is the same with and without.

    Raises:
        ValueError: a value is outside its range; the message names it.
    """

    weights: str
    revision: str | None = None
    adapter: str | None = None
    dtype: Dtype = "auto"
    quantization: Quantization = "auto"
    device: Device = "auto"
    device_map: Literal["auto"] | None = None
    slots: int = 16
    context_tokens: int | None = None
    kv_cache_gb: float | None = None
    batch_tokens: int | None = None
    lanes: int | None = None
    is_speculative: bool = True

    def __post_init__(self) -> None:
        checks = (
            (self.slots >= 1, "slots must be 1 or more"),
            (self.context_tokens is None or self.context_tokens >= 64, "context_tokens must be 64 or more"),
            (self.kv_cache_gb is None or self.kv_cache_gb > 0, "kv_cache_gb must be above 0"),
            (self.lanes is None or 1 <= self.lanes <= self.slots, "lanes must be from 1 to slots"),
            (self.batch_tokens is None or self.batch_tokens >= self.slots, "batch_tokens must be slots or more"),
        )
        for is_valid, message in checks:
            if not is_valid:
                raise ValueError(message)
