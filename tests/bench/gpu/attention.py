"""One layer's attention by itself: as transformers computes it over a packed batch, and as it could be computed.

Over a packed batch every query meets the keys of all requests, and a mask throws most of that away: the work grows with
the square of the batch. Kernels that know where each request ends do not have that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.bench.gpu.limits import time_median
from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder
from tests.bench.gpu.shapes import Shape


def measure_attention(plan: BenchPlan, recorder: Recorder) -> None:
    """Record the time of one layer's attention while all requests of a batch decode, by each kernel that is there."""
    tokens = plan.prompt_tokens + plan.new_tokens // 2
    for shape in (plan.small, plan.large):
        for sequences in plan.batches:
            for kernel, prepare in KERNELS.items():
                name = f"{shape.name}, {sequences} requests, {kernel}"
                with recorder.catch(name), torch.inference_mode():
                    run, error = check_kernel(prepare, plan, shape, sequences, tokens)
                    seconds = time_median(run, plan.device)
                    moved = 2 * sequences * tokens * shape.key_heads * shape.head_size * plan.dtype.itemsize
                    recorder.add(
                        name, layer_ms=round(1000 * seconds, 4), bytes_per_second=moved / seconds, error_of_first=error
                    )


def check_kernel(
    prepare: Any, plan: BenchPlan, shape: Shape, sequences: int, tokens: int
) -> tuple[Callable[[], torch.Tensor], float]:
    """Return what runs a kernel, and how far its first request's output is from that of float32."""
    generator = torch.Generator(plan.device).manual_seed(0)
    query, key, value = (
        torch.randn(size, generator=generator, device=plan.device, dtype=torch.float32).to(plan.dtype)
        for size in draw_sizes(shape, sequences, tokens)
    )
    run = prepare(query, key, value)
    found = run().float().reshape(sequences, shape.heads, shape.head_size)[0]
    # (heads, tokens, head size) of the first request, each key head as often as query heads share it.
    keys, values = (
        rows[0].float().transpose(0, 1).repeat_interleave(shape.heads // shape.key_heads, dim=0)
        for rows in (key, value)
    )
    scores = (keys @ query[0].float().unsqueeze(-1)).squeeze(-1) * shape.head_size**-0.5
    exact = (scores.softmax(dim=-1).unsqueeze(1) @ values).squeeze(1)
    return run, float((found - exact).norm() / exact.norm())


def draw_sizes(shape: Shape, sequences: int, tokens: int) -> Iterator[tuple[int, ...]]:
    """Yield the sizes of queries (requests, heads, size), and of keys and values (requests, tokens, heads, size)."""
    yield sequences, shape.heads, shape.head_size
    yield from [(sequences, tokens, shape.key_heads, shape.head_size)] * 2


def prepare_packed(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Return attention over one long row of tokens of all requests, with a mask; keys are repeated each time."""
    sequences, tokens = key.shape[:2]
    owner = torch.arange(sequences, device=query.device).repeat_interleave(tokens)
    is_own = torch.arange(sequences, device=query.device).unsqueeze(1) == owner
    mask = torch.zeros(is_own.shape, dtype=query.dtype, device=query.device).masked_fill_(~is_own, -torch.inf)
    groups = query.shape[1] // key.shape[2]
    packed = query.transpose(0, 1).unsqueeze(0)

    def run() -> torch.Tensor:
        keys, values = (
            rows.flatten(0, 1).transpose(0, 1).repeat_interleave(groups, dim=0).unsqueeze(0) for rows in (key, value)
        )
        return scaled_dot_product_attention(packed, keys, values, attn_mask=mask).transpose(1, 2)

    return run


def prepare_padded(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Return attention with one row a request."""
    rows, keys, values = query.unsqueeze(2), key.transpose(1, 2), value.transpose(1, 2)
    return lambda: scaled_dot_product_attention(rows, keys, values, enable_gqa=True)


def prepare_ragged(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Return attention by PyTorch's own kernel over ragged batches."""
    from torch.nn.attention.varlen import varlen_attn

    sequences, tokens, key_heads, _ = key.shape
    options = {} if query.shape[1] == key_heads else {"enable_gqa": True}
    ends = torch.arange(sequences + 1, device=query.device, dtype=torch.int32)
    keys, values = key.flatten(0, 1), value.flatten(0, 1)
    return lambda: varlen_attn(query, keys, values, ends, ends * tokens, 1, tokens, **options)


KERNELS = {"packed with a mask": prepare_packed, "one row a request": prepare_padded, "ragged": prepare_ragged}
