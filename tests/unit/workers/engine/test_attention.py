from __future__ import annotations

import pytest
import torch

from workers.engine.attention import attend_padded, attend_request, group_lengths


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


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_requests_of_different_lengths_attend_together_as_each_does_alone(key_heads: int) -> None:
    keys, values = torch.randn(30, key_heads, 8), torch.randn(30, key_heads, 8)
    own = [torch.randperm(30)[:length] for length in (1, 7, 12)]
    index = torch.stack([torch.cat((rows, rows[-1:].expand(12 - len(rows)))) for rows in own])
    mask = torch.arange(12) < torch.tensor([[len(rows)] for rows in own])
    query = torch.randn(4, 3, 8)
    attended = attend_padded(query, keys, values, index, mask, scaling=0.3)
    for place, rows in enumerate(own):
        alone = attend_naively(
            query[:, place : place + 1], keys[rows].transpose(0, 1), values[rows].transpose(0, 1), None
        )
        assert torch.allclose(attended[place], alone[:, 0], atol=1e-5)


def test_only_lengths_that_differ_much_are_kept_apart() -> None:
    assert group_lengths([3, 500, 700, 40, 900, 5000]) == [[0, 1, 2, 3, 4], [5]]
