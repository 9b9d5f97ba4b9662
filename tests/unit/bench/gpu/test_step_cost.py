"""A decode step starts as many operations for many requests as for one, and the host waits for the device once."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.bench.gpu.plan import make_plan
from tests.bench.gpu.shapes import TINY, build_network
from tests.bench.gpu.step_cost import GREEDY, SAMPLED, count_operations, count_step

# Products of tiny matrices are faster on one thread than the threads are started.
torch.set_num_threads(1)


def test_the_host_waits_once_in_a_step_and_operations_do_not_grow_with_the_requests() -> None:
    shape = replace(TINY, layers=2)
    plan, network = make_plan(is_dry=True), build_network(shape, dtype=torch.float32, device="cpu")
    two, four, sampled = (
        count_step(network, shape, plan, sequences=sequences, params=params)
        for sequences, params in ((2, GREEDY), (4, GREEDY), (4, SAMPLED))
    )
    assert two["waits"] == four["waits"] == sampled["waits"] == 1
    assert two["uploads"] == sampled["uploads"]
    assert two["operations"] == four["operations"]
    # A few operations for all requests together, and one for the random numbers of each.
    assert 4 < sampled["operations"] - four["operations"] < 4 + 20


def test_views_are_no_operations_and_reading_a_value_is_a_wait() -> None:
    rows = torch.arange(6.0)
    with count_operations("cpu", on_host=0) as found:
        assert int(rows.view(2, 3).T[0, 1].add(1)) == 4
        torch.tensor([1, 2], device="cpu")
    assert (found["operations"], found["waits"], found["uploads"]) == (2, 1, 1)
