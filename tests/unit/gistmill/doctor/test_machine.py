from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gistmill.doctor import machine
from gistmill.doctor.diagnosis import Condition
from gistmill.doctor.machine import (
    compare_gpu_memory,
    compare_memory,
    examine_disk,
    examine_gpus,
    examine_memory,
)
from gistmill.doctor.ports import examine_flower_port
from gistmill.doctor.weight_files import find_local_weights, measure_bytes
from models.settings import Settings

GB = 1e9


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The driver's tool, which a test writes, alone in the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "nvidia-smi"


def write_tool(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_a_driver_the_cpu_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    [found] = examine_gpus()

    assert (found.condition, "the CPU computes" in found.words) == (Condition.OK, True)


def test_a_driver_that_does_not_answer_is_broken_with_its_own_words(driver: Path) -> None:
    write_tool(driver, "echo 'Failed to initialize NVML: Driver/library version mismatch' >&2; exit 18")

    [found] = examine_gpus()

    assert found.condition is Condition.BROKEN
    assert "Driver/library version mismatch" in found.words


def test_gpus_are_listed_with_their_memory_and_a_torch_for_the_cpu_is_broken(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tool(driver, "echo 'NVIDIA H200, 143771, 143000'")
    for torch, conditions in (("2.13.0", ["ok"]), ("2.13.0+cpu", ["ok", "broken"])):
        monkeypatch.setattr(machine, "find_version", lambda _, torch=torch: torch)

        found = list(examine_gpus())

        assert found[0].words == "NVIDIA H200 (139.6 of 140.4 GiB free)"
        assert [one.condition for one in found] == conditions


def test_weights_on_a_gpu_are_compared_with_its_memory(driver: Path, tiny_weights: Path) -> None:
    write_tool(driver, "echo 'Small, 0, 0'; echo 'Large, 1000, 1000'")

    [one] = examine_memory(Settings(weights=str(tiny_weights)), is_running=False)
    [spread] = examine_memory(Settings(weights=str(tiny_weights), device_map="auto"), is_running=False)

    assert (one.condition, spread.condition) == (Condition.BROKEN, Condition.OK)


@pytest.mark.parametrize(
    ("needed", "free", "condition"), [(1.1, 9, "ok"), (1.1, 4, "note"), (8, 9, "note"), (9, 8, "broken")]
)
def test_memory_is_enough_short_or_too_little(needed: float, free: float, condition: str) -> None:
    found = compare_memory(needed * GB, free * GB, "some is free")

    assert found.condition == condition
    assert f"the weights take {needed:.1f} GB" in found.words
    assert (found.advice is None) == (condition == "ok")


def test_weights_larger_than_a_gpu_are_broken() -> None:
    assert compare_gpu_memory(20 * GB, 16 * GB).condition is Condition.BROKEN
    assert compare_gpu_memory(10 * GB, 16 * GB).condition is Condition.OK


def test_beside_a_running_worker_little_memory_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "find_free_memory", lambda: 10**8)

    for is_running, condition in ((True, "ok"), (False, "broken")):
        [found] = examine_memory(Settings(home=tmp_path), is_running=is_running)
        assert found.condition == condition


def test_a_full_disk_is_broken_and_weights_to_convert_need_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, weights, condition in ((10e9, "packaged", "ok"), (1e9, "packaged", "broken"), (1e9, "folder", "ok")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _, free=free: type("Usage", (), {"free": free}))
        [found] = examine_disk(Settings(home=tmp_path / "not/there/yet", weights=weights))
        assert found.condition == condition
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_another_program_has_is_noted() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        [taken] = examine_flower_port(Settings(flower_port=port))
    assert taken.condition is Condition.NOTE
    assert f"port {port}" in taken.words
    assert list(examine_flower_port(Settings(flower_port=0))) == []


def test_weights_are_measured_by_their_headers_dtype_and_quantization(tiny_weights: Path) -> None:
    as_they_are = Settings(weights=str(tiny_weights))
    folder = find_local_weights(as_they_are)
    sizes = {
        name: measure_bytes(Settings(weights=str(tiny_weights), **given), folder, device=device)
        for name, given, device in (
            ("cpu", {}, "cpu"),
            ("gpu", {}, "cuda"),
            ("float32", {"dtype": "float32"}, "cuda"),
            ("int8", {"quantization": "int8"}, "cpu"),
        )
    }

    assert folder == tiny_weights
    assert sizes["cpu"] == sizes["float32"] == 2 * sizes["gpu"] == 4 * sizes["int8"]  # type: ignore[operator]


def test_weights_that_are_not_here_have_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    settings = Settings(weights="nobody/nothing-of-this-name", home=tmp_path)

    assert find_local_weights(settings) is None
    assert measure_bytes(settings, None, device="cpu") is None
    assert find_local_weights(Settings(home=tmp_path)) is None
