from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from workers.engine.attention_plan import AttentionPlan, build_plan, group_shapes
from workers.engine.cache_rows import BatchRows, PageLayout, RequestSpan
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
    return build_plan(
        [RequestSpan(str(len(rows)), len(rows) - queries, queries) for rows, queries in requests],
        [rows for rows, _ in requests],
        PageLayout(tokens=1, stride=1, ring=None, unused=0),
        window=window,
        dtype=torch.float32,
        heads=4 // key_heads,
        device=torch.device("cpu"),
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
    first = 0 if window is None else max(20 - queries - window + 1, 0)
    assert prompt.past.tolist() == list(range(first, 20 - queries))
    attended = attend_prefill(query, key[first:], value[first:], prompt, scaling=0.3)
    assert torch.allclose(attended, attend_naively(query, key, value, window), atol=1e-5)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 5])
def test_requests_of_different_lengths_attend_together_as_each_does_alone(key_heads: int, window: int | None) -> None:
    keys, values = torch.randn(30, key_heads, 8), torch.randn(30, key_heads, 8)
    requests = [(torch.randperm(30)[:length].tolist(), queries) for length, queries in ((1, 1), (7, 3), (12, 1))]
    query = torch.randn(5, 4, 8)
    output = torch.empty_like(query)
    for group in plan(requests, window, key_heads).decode_groups:
        rows = query[group.queries.flatten()]
        output[group.queries.flatten()] = attend_decode(rows, keys, values, group, scaling=0.3)
    start = 0
    for rows, queries in requests:
        own = slice(start, start + queries)
        alone = attend_naively(query[own], keys[rows], values[rows], window)
        assert torch.allclose(output[own], alone, atol=1e-5)
        start += queries


def test_only_shapes_that_differ_much_are_kept_apart() -> None:
    assert group_shapes([(1, length) for length in (3, 500, 700, 40, 900, 5000)]) == [[0, 1, 2, 3, 4], [5]]
    assert group_shapes([(queries, 40) for queries in (1, 9, 2, 3, 8, 1)]) == [[0, 2, 5], [1], [3, 4]]


@pytest.mark.parametrize("size", [8, 512])
@pytest.mark.parametrize("softcap", [None, 5.0])
def test_scores_of_16_bits_are_as_exact_as_their_inputs(size: int, softcap: float | None) -> None:
    keys, values = (torch.randn(13, 2, size).bfloat16() for _ in range(2))
    query, scaling = torch.randn(3, 4, size).bfloat16(), 3 * size**-0.5
    (group,) = plan([(list(range(13)), 3)], None, 2).decode_groups
    exact = attend_decode(query.float(), keys.float(), values.float(), group, scaling=scaling, softcap=softcap)
    group = replace(group, mask=group.mask.bfloat16())
    attended = attend_decode(query, keys, values, group, scaling=scaling, softcap=softcap)
    assert attended.dtype is torch.bfloat16
    assert (attended - exact).norm() / exact.norm() < 0.01


def test_each_token_has_the_row_that_its_page_and_its_window_give_it() -> None:
    spans = [RequestSpan("long", past=9, count=3), RequestSpan("new", past=0, count=14)]
    pages, ring = [[5, 2, 7], [1, 3, 4]], PageLayout(tokens=4, stride=10, ring=12, unused=-1)
    rows = BatchRows(spans, pages, ring, torch.device("cpu"))
    assert rows.find_rows(0, torch.arange(9)).tolist() == [50, 51, 52, 53, 20, 21, 22, 23, 70]
    # The window of the second request has room for its last 12 tokens.
    second = [-1, -1, 12, 13, 30, 31, 32, 33, 40, 41, 42, 43, 10, 11]
    assert rows.find_new_rows().tolist() == [71, 72, 73, *second]
