from __future__ import annotations

import pytest
import torch

from workers.engine.attention_plan import AttentionPlan, build_plan, group_shapes
from workers.engine.ragged_attention import attend_decode, attend_prefill, attend_ragged


def attend_naively(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None) -> torch.Tensor:
    """Attention (queries, heads, head size) spelled out, one query and one head at a time."""
    queries, heads, _ = query.shape
    output = torch.empty_like(query)
    for head in range(heads):
        shared = head * key.shape[1] // heads
        for index in range(queries):
            last = len(key) - queries + index + 1
            first = 0 if window is None else max(last - window, 0)
            weights = (key[first:last, shared] @ query[index, head] * 0.3).softmax(0)
            output[index, head] = weights @ value[first:last, shared]
    return output


def plan(requests: list[tuple[list[int], int]], window: int | None, key_heads: int) -> AttentionPlan:
    """Return the plan for requests, each with the rows of all its keys and the number of its queries."""
    ends, key_ends, read_index, write_index = [0], [0], [], []
    for rows, queries in requests:
        ends.append(ends[-1] + queries)
        key_ends.append(key_ends[-1] + len(rows))
        read_index += rows[:-queries] + [-1] * queries
        write_index += rows[-queries:]
    return build_plan(
        query_ends=ends,
        key_ends=key_ends,
        read_index=torch.tensor(read_index),
        write_index=torch.tensor(write_index),
        window=window,
        dtype=torch.float32,
        heads=4 // key_heads,
    )


def test_attention_sinks_are_refused() -> None:
    rows = torch.randn(1, 2, 3, 8)
    with pytest.raises(NotImplementedError, match="sinks"):
        attend_ragged(None, rows, rows, rows, None, s_aux=torch.zeros(2))


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 14])
@pytest.mark.parametrize("queries", [10, 20])
def test_a_prompt_attends_to_what_came_before_it_within_its_window(
    key_heads: int, window: int | None, queries: int
) -> None:
    query, key, value = torch.randn(queries, 4, 8), torch.randn(20, key_heads, 8), torch.randn(20, key_heads, 8)
    (prompt,) = plan([(list(range(20)), queries)], window, key_heads).prefills
    assert prompt.past.tolist() == list(range(20 - queries))
    attended = attend_prefill(query, key, value, prompt, scaling=0.3)
    assert torch.allclose(attended, attend_naively(query, key, value, window), atol=1e-5)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 5])
def test_requests_of_different_lengths_attend_together_as_each_does_alone(key_heads: int, window: int | None) -> None:
    keys, values = torch.randn(30, key_heads, 8), torch.randn(30, key_heads, 8)
    requests = [(torch.randperm(30)[:length].tolist(), queries) for length, queries in ((1, 1), (7, 3), (12, 1))]
    query = torch.randn(5, 4, 8)
    output = torch.empty_like(query)
    for group in plan(requests, window, key_heads).decode_groups:
        output[group.queries.flatten()] = attend_decode(query, keys, values, group, scaling=0.3)
    start = 0
    for rows, queries in requests:
        own = slice(start, start + queries)
        alone = attend_naively(query[own], keys[rows], values[rows], window)
        assert torch.allclose(output[own], alone, atol=1e-5)
        start += queries


def test_only_shapes_that_differ_much_are_kept_apart() -> None:
    assert group_shapes([(1, length) for length in (3, 500, 700, 40, 900, 5000)]) == [[0, 1, 2, 3, 4], [5]]
    assert group_shapes([(queries, 40) for queries in (1, 9, 2, 3, 8, 1)]) == [[0, 2, 5], [1], [3, 4]]
