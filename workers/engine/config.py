"""Settings of an engine, validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["auto", "float16", "bfloat16", "float32"]
Quantization = Literal["auto", "none", "bf16", "half", "int8", "nf4"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings to load and serve one set of weights.

    Args:
        weights: a folder with safetensors weights, or a hub id such as ``google/gemma-3-1b-it``.
        revision: branch, tag or commit of a hub id.
        adapter: a LoRA adapter (folder or hub id) that is merged at load; None for none.
        dtype: compute and storage type; ``auto`` selects a safe one for the weights on the device.
        quantization: ``none``, ``bf16`` or ``half`` (CPU: 16-bit weights, products in bfloat16 or float32), ``int8`` or
            ``nf4``; ``auto`` selects one for the device (see ``choose_quantization``).
        device: ``auto`` selects the GPU if there is one.
        device_map: ``auto`` lets accelerate spread weights that do not fit one device; None keeps them on one.
        slots: maximum number of concurrent requests; on a GPU there may be fewer, but 16, for lack of memory.
        context_tokens: upper limit on prompt and completion together; None for the most that weights and cache allow.
        kv_cache_gb: memory for the KV cache in GiB; None sizes it from slots, context and free memory.
        batch_tokens: maximum number of tokens in one forward pass; long prompts are prefilled in pieces of this size.
        lanes: parallel generation loops on a CPU; None for two if there are two cores and two slots, and each loop's
            cache has room for the longest request.
        is_speculative: whether speculative tokens are proposed and verified (see ``prompt_lookup``), on a CPU alone;
            the output stays the same.

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
