"""Which worker processes run where, and what they serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.settings import read_settings
from workers.errors import DeviceError
from workers.local.launch import Gpu, count_workers, plan_processes
from workers.local.supervisor import Program
from workers.started_server import StartedServer

# Of files that tests do not write.
FOLDER = Path("not", "there")
GPUS = [Gpu(0, "uuid-0"), Gpu(2, "uuid-2")]


def plan(gpus: list[Gpu], *names: str, **settings: object) -> list[tuple[str, str, str]]:
    """Return each process's node, its GPU and what it serves."""
    programs = plan_processes(read_settings(**settings), gpus, FOLDER, names=names, is_automatic=True)
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
    programs = plan_processes(read_settings(metrics_port=9000), [], FOLDER, names=("base", "tuned"), is_automatic=True)
    assert [each.environment["GISTMILL_METRICS_PORT"] for each in programs] == ["9000", "9001"]


def test_more_names_than_gpus_need_a_word_on_how_they_share_memory() -> None:
    with pytest.raises(DeviceError, match=r"3 names need as many GPUs and there are 2; .* GISTMILL_KV_CACHE_GB"):
        plan(GPUS, "a", "b", "c")
    shared = plan(GPUS, "a", "b", "c", kv_cache_gb=4.0)
    assert shared == [("gpu0-a", "uuid-0", "a"), ("gpu2-b", "uuid-2", "b"), ("gpu0-c", "uuid-0", "c")]


def plan_servers(gpus: list[Gpu], *names: str, **settings: object) -> tuple[list[Program], list[Program]]:
    """Return the vLLM servers and the workers."""
    programs = plan_processes(read_settings(engine="vllm", **settings), gpus, FOLDER, names=names, is_automatic=True)
    return [each for each in programs if each.is_server], [each for each in programs if not each.is_server]


def test_with_vllm_every_gpu_has_one_server_and_a_worker_for_every_name() -> None:
    servers, workers = plan_servers(GPUS, "base", "tuned", metrics_port=9000)
    assert [each.name for each in servers] == ["vllm-gpu0", "vllm-gpu2"]
    assert [each.name for each in workers] == ["gpu0-base", "gpu0-tuned", "gpu2-base", "gpu2-tuned"]
    assert [each.environment["CUDA_VISIBLE_DEVICES"] for each in servers] == ["uuid-0", "uuid-2"]
    assert servers[0].command[-4:] == ["--name", "base", "--name", "tuned"]
    assert [each.environment["GISTMILL_METRICS_PORT"] for each in workers] == ["9000", "9001", "9002", "9003"]
    assert count_workers(read_settings(engine="vllm"), GPUS, 2) == len(workers)


def test_workers_know_the_address_and_the_key_of_their_server_alone() -> None:
    servers, workers = plan_servers(GPUS)
    for server, worker in zip(servers, workers, strict=True):
        port = server.command[server.command.index("--port") + 1]
        assert worker.environment["GISTMILL_ENGINE"] == f"http://127.0.0.1:{port}/v1"
        assert worker.environment["GISTMILL_ENGINE_KEY"] == server.environment["VLLM_API_KEY"]
        assert worker.environment["GISTMILL_ENGINE_FILE"] == server.environment["GISTMILL_ENGINE_FILE"]
    assert len({server.environment["VLLM_API_KEY"] for server in servers}) == 2


def test_a_server_and_its_workers_share_a_file_in_the_folder_of_the_supervisor_without_the_last_end(
    tmp_path: Path,
) -> None:
    for number in range(2):
        StartedServer(tmp_path / f"vllm-{number}.json").write(error="of an earlier start")

    programs = plan_processes(read_settings(engine="vllm"), GPUS, tmp_path, is_automatic=True)

    files = [Path(program.environment["GISTMILL_ENGINE_FILE"]) for program in programs]
    assert [file.parent for file in files] == [tmp_path] * 4
    assert (len(set(files)), list(tmp_path.iterdir())) == (2, [])


def test_servers_begin_before_their_workers_and_so_are_stopped_after_them() -> None:
    programs = plan_processes(read_settings(engine="vllm"), GPUS, FOLDER, is_automatic=True)
    assert [each.name for each in programs] == ["vllm-gpu0", "gpu0", "vllm-gpu2", "gpu2"]


def test_spread_weights_have_one_server_on_all_gpus() -> None:
    servers, workers = plan_servers(GPUS, device_map="auto")
    assert [each.name for each in servers + workers] == ["vllm-gpu0+2", "gpu0+2"]
    assert servers[0].command[servers[0].command.index("--gpus") + 1] == "2"


@pytest.mark.parametrize(("gpus", "settings", "slots"), [(GPUS, {}, "64"), (GPUS, {"slots": 8}, "8"), ([], {}, "16")])
def test_a_gpu_with_vllm_has_more_slots_unless_they_are_set(
    gpus: list[Gpu], settings: dict[str, int], slots: str
) -> None:
    servers, workers = plan_servers(gpus, **settings)
    assert {each.environment["GISTMILL_SLOTS"] for each in servers + workers} == {slots}


def test_a_server_elsewhere_needs_one_worker_for_each_name_and_no_gpu() -> None:
    address = "http://gpu1:8000/v1"
    assert plan(GPUS, "a", "b", "c", engine=address) == [("cpu0-a", "", "a"), ("cpu0-b", "", "b"), ("cpu0-c", "", "c")]
    assert count_workers(read_settings(engine=address), GPUS, 3) == 3
