"""Which worker processes run where, and what they serve."""

from __future__ import annotations

import pytest

from models.settings import read_settings
from workers.errors import DeviceError
from workers.local.launch import Gpu, plan_processes

GPUS = [Gpu(0, "uuid-0"), Gpu(2, "uuid-2")]


def plan(gpus: list[Gpu], *names: str, **settings: object) -> list[tuple[str, str, str]]:
    """Return each process's node, its GPU and what it serves."""
    programs = plan_processes(read_settings(**settings), gpus, names=names, is_automatic=True)
    return [
        (each.name, each.environment.get("CUDA_VISIBLE_DEVICES", ""), each.environment["GISTMILL_WEIGHTS_NAME"])
        for each in programs
    ]


def test_every_gpu_serves_the_one_name() -> None:
    assert plan(GPUS) == [("gpu0", "uuid-0", "default"), ("gpu2", "uuid-2", "default")]


def test_several_names_are_dealt_out_to_the_gpus() -> None:
    assert plan(GPUS, "base", "tuned") == [("gpu0-base", "uuid-0", "base"), ("gpu2-tuned", "uuid-2", "tuned")]


def test_weights_that_are_spread_have_one_process_on_all_their_gpus() -> None:
    four = [*GPUS, Gpu(3, "uuid-3"), Gpu(4, "uuid-4")]
    assert plan(GPUS, device_map="auto") == [("gpu0+2", "uuid-0,uuid-2", "default")]
    assert plan(four, "base", "tuned", device_map="auto") == [
        ("gpu0+3-base", "uuid-0,uuid-3", "base"),
        ("gpu2+4-tuned", "uuid-2,uuid-4", "tuned"),
    ]


@pytest.mark.parametrize(("gpus", "names"), [(GPUS, ("a", "b")), (GPUS, ("a", "b", "c")), ([], ("a", "b"))])
def test_names_that_have_one_gpu_or_none_each_are_placed_as_if_nothing_were_spread(
    gpus: list[Gpu], names: tuple[str, ...]
) -> None:
    assert plan(gpus, *names, device_map="auto", kv_cache_gb=4.0) == plan(gpus, *names, kv_cache_gb=4.0)


def test_on_a_cpu_every_name_has_a_process_and_ports_of_its_own() -> None:
    assert plan([], "default", "tuned") == [("cpu0", "", "default"), ("cpu0-tuned", "", "tuned")]
    programs = plan_processes(read_settings(metrics_port=9000), [], names=("base", "tuned"), is_automatic=True)
    assert [each.environment["GISTMILL_METRICS_PORT"] for each in programs] == ["9000", "9001"]


def test_more_names_than_gpus_need_a_word_on_how_they_share_memory() -> None:
    with pytest.raises(DeviceError, match=r"3 names need as many GPUs and there are 2; .* GISTMILL_KV_CACHE_GB"):
        plan(GPUS, "a", "b", "c")
    shared = plan(GPUS, "a", "b", "c", kv_cache_gb=4.0)
    assert shared == [("gpu0-a", "uuid-0", "a"), ("gpu2-b", "uuid-2", "b"), ("gpu0-c", "uuid-0", "c")]
