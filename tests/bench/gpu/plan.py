"""Sizes of a run: real shapes on a GPU, or tiny ones on a CPU to prove that everything starts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from tests.bench.gpu.shapes import DEEPER, GEMMA_1B, GEMMA_4B, TINY, Shape


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """Sizes of a run.

    Args:
        device: that is measured.
        dtype: of the weights whose speed is measured.
        small: shape of the weights whose answers are checked, and whose speed is measured first.
        large: shape of the others.
        prompt_tokens: of each request.
        new_tokens: of each request.
        batches: numbers of requests that come together.
        settings_batch: requests in the batch of every setting.
        settings_tokens: new tokens of each of those.
        seconds: after which our loop is cut in one measurement.
    """

    device: str
    dtype: torch.dtype
    small: Shape
    large: Shape
    prompt_tokens: int = 512
    new_tokens: int = 128
    batches: tuple[int, ...] = (1, 16, 64, 256)
    settings_batch: int = 64
    settings_tokens: int = 32
    seconds: float = 20.0
    is_dry: bool = field(default=False, kw_only=True)


def make_plan(*, is_dry: bool) -> BenchPlan:
    """Return the sizes of a run."""
    if is_dry:
        return BenchPlan(
            "cpu", torch.float32, TINY, DEEPER, 24, 8, (1, 3), settings_batch=2, settings_tokens=4, is_dry=True
        )
    return BenchPlan("cuda", torch.bfloat16, GEMMA_1B, GEMMA_4B)
