from __future__ import annotations

import pytest
import torch

from workers.engine.attention import attend_request


def attend_naively(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None) -> torch.Tensor:
    """Attention spelled out, one query and one head at a time."""
    heads, queries, _ = query.shape
    output = torch.empty_like(query)
    for head in range(heads):
        shared = head * key.shape[0] // heads
        for index in range(queries):
            last = key.shape[1] - queries + index + 1
            first = 0 if window is None else max(last - window, 0)
            weights = (key[shared, first:last] @ query[head, index] * 0.3).softmax(0)
            output[head, index] = weights @ value[shared, first:last]
    return output


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 6])
@pytest.mark.parametrize("queries", [1, 5, 9])
def test_a_request_attends_to_what_came_before_it_within_its_window(
    key_heads: int, window: int | None, queries: int
) -> None:
    query, key, value = torch.randn(4, queries, 8), torch.randn(key_heads, 9, 8), torch.randn(key_heads, 9, 8)
    if window is not None and queries == 1:
        key, value = key[:, -window:], value[:, -window:]  # the cache of a window holds no older keys
    attended = attend_request(query, key, value, scaling=0.3, window=window)
    assert torch.allclose(attended, attend_naively(query, key, value, window), atol=1e-5)
