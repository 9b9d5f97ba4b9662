"""Upper limits of tokens a second, from the bytes and operations that a step needs and those that a card can do.

A decode step reads every weight once for the whole batch, and each sequence's own keys and values. So few sequences are
limited by the weights alone, and many by their caches. A prompt is limited by arithmetic instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from tests.bench.gpu.shapes import Shape

ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Card:
    """Rates of a card, as measured.

    Args:
        bytes_per_second: that its memory can be read with.
        operations_per_second: of a large matrix product in the dtype of the weights, two for each multiply and add.
    """

    bytes_per_second: float
    operations_per_second: float


def count_step_bytes(shape: Shape, *, sequences: int, tokens: float, itemsize: int = 2) -> float:
    """Return the bytes that one decode step reads, of sequences that have so many tokens each."""
    return itemsize * (shape.count_weights() + sequences * shape.count_cache_numbers(round(tokens)))


def limit_decoding(shape: Shape, card: Card, *, sequences: int, tokens: float, itemsize: int = 2) -> float:
    """Return the most new tokens a second of sequences that have so many tokens each, by memory bandwidth alone."""
    return (
        sequences
        * card.bytes_per_second
        / count_step_bytes(shape, sequences=sequences, tokens=tokens, itemsize=itemsize)
    )


def limit_requests(
    shape: Shape, card: Card, *, sequences: int, prompt_tokens: int, new_tokens: int, itemsize: int = 2
) -> float:
    """Return the most new tokens a second of whole requests that begin together, their prompts included."""
    prefill = 2 * shape.count_layer_weights() * sequences * prompt_tokens / card.operations_per_second
    halfway = prompt_tokens + new_tokens / 2
    decode = (
        new_tokens * sequences / limit_decoding(shape, card, sequences=sequences, tokens=halfway, itemsize=itemsize)
    )
    return sequences * new_tokens / (prefill + decode)


def measure_card(device: str, dtype: torch.dtype, *, is_dry: bool) -> Card:
    """Measure how fast a card reads its memory and multiplies matrices."""
    numbers, size = (1 << 20, 256) if is_dry else (1 << 30, 8192)
    # Random, because zeros are multiplied faster.
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    operations_per_second = 2 * size**3 / time_median(lambda: left @ right, device)
    rows = torch.randn(numbers, device=device)
    target = torch.empty_like(rows)
    copied = 2 * rows.nbytes / time_median(lambda: target.copy_(rows), device)
    summed = rows.nbytes / time_median(lambda: rows.sum(), device)
    return Card(max(copied, summed), operations_per_second)


def time_median(work: Callable[[], Any], device: str) -> float:
    """Return the median seconds of some work on a device, after one round that warms up."""
    seconds = []
    for _ in range(ROUNDS + 1):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


def synchronize(device: str) -> None:
    """Wait until a device has done everything that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()
