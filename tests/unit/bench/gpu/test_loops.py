"""Our loop and transformers' own as the benchmark runs them, on tiny shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.bench.gpu import correctness, loops, recovery
from tests.bench.gpu.plan import make_plan
from tests.bench.gpu.report import Recorder, read_rows
from tests.bench.gpu.settings import BATCH, LOOP, list_batch_settings, list_loop_settings
from tests.bench.gpu.shapes import TINY, build_network, make_prompts

PLAN = make_plan(is_dry=True)


@pytest.mark.parametrize("settings", [list_loop_settings(), list_batch_settings()])
def test_every_setting_has_a_name_of_its_own_and_sizes_for_all_requests(settings: list[loops.Setting]) -> None:
    assert len({setting.name for setting in settings}) == len(settings)
    for setting in settings:
        batching = loops.build_batching(setting, sequences=4, tokens=100)
        assert batching.max_requests_per_batch == 4
        assert batching.num_blocks * batching.page_size >= 400


@pytest.mark.parametrize("setting", [LOOP, BATCH], ids=lambda setting: setting.way)
def test_both_ways_make_all_tokens(setting: loops.Setting) -> None:
    network = build_network(TINY, dtype=torch.float32, device="cpu")
    prompts = make_prompts(2, 20, TINY.vocabulary)
    values = loops.measure(network, setting, prompts, new_tokens=4, device="cpu", seconds=60.0)
    assert not values["is_cut"]


def test_greedy_tokens_of_the_loop_are_those_of_generate(tmp_path: Path) -> None:
    correctness.check_tokens(PLAN, Recorder(tmp_path, "correctness"))
    rows = read_rows(tmp_path)
    assert [row["is_equal"] for row in rows] == [True] * len(correctness.WINDOW_PARTS)
    assert all(row["distinct"] > 1 for row in rows)


def test_tokens_are_the_same_up_to_the_first_that_is_not() -> None:
    assert correctness.count_same([1, 2, 3, 4], [1, 2, 9, 4]) == 2
    assert correctness.count_same([1, 2], [1, 2]) == 2
    assert correctness.count_same([1, 2], [1]) == 1


def test_a_pass_without_memory_is_seen_once_and_all_requests_are_answered(tmp_path: Path) -> None:
    recovery.check_memory(PLAN, Recorder(tmp_path, "recovery"))
    assert [row["is_right"] for row in read_rows(tmp_path)] == [True, True]


def test_requests_end_for_the_reason_that_they_are_given(tmp_path: Path) -> None:
    recovery.check_endings(PLAN, Recorder(tmp_path, "recovery"))
    assert {row["name"]: row["is_right"] for row in read_rows(tmp_path)} == {
        "cancelled": True,
        "deadline": True,
        "beside them": True,
    }
