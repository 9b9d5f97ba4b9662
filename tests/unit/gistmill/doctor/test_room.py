from __future__ import annotations

from pathlib import Path

import pytest

from gistmill.cli.edge import run
from gistmill.cli.main import make_group
from gistmill.doctor import room
from gistmill.doctor.machine import GB, DiskRoom, GpuMemory
from models.settings import Settings
from workers.errors import ShortageError


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with room for everything."""
    set_room(monkeypatch, memory=64, disk=500)


def set_room(monkeypatch: pytest.MonkeyPatch, *, memory: float = 64, disk: float = 500) -> None:
    disk_room = DiskRoom(Path("/data"), Path("/data"), disk * GB, 1.6 * GB)
    monkeypatch.setattr(room, "measure_disk", lambda _: disk_room)
    monkeypatch.setattr(room, "find_free_memory", lambda: int(memory * GB))


def check(*, has_gpus: bool = False, workers: int = 1, **given: object) -> str:
    """Return the sentence about what is short, "" if nothing is."""
    try:
        room.check_room(Settings(**given), has_gpus=has_gpus, workers=workers)  # type: ignore[arg-type]
    except ShortageError as error:
        return str(error)
    return ""


def test_one_sentence_names_all_that_is_short_with_what_is_needed_and_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check() == ""
    set_room(monkeypatch, memory=2, disk=1)

    assert check() == (
        "/data needs 1.6 GB of disk and 1.0 GB are free: make room, or set GISTMILL_HOME to another folder; "
        "the cluster needs about 4.7 GB of memory "
        "(1 x 1.1 GB of weights and 3.2 GB beside them, 0.4 GB for the servers) and 2.0 GB are free: "
        "free some, serve fewer weights, or smaller ones; "
        "`gistmill up --force` starts all the same"
    )


def test_each_worker_needs_weights_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    set_room(monkeypatch, memory=6)

    assert check(workers=1) == ""
    assert "needs about 8.9 GB" in check(workers=2)


@pytest.mark.parametrize("given", [{"engine": "http://gpu1:8000/v1"}, {"weights": "someone/not-downloaded"}])
def test_memory_of_weights_that_are_elsewhere_is_not_asked_for(
    given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_room(monkeypatch, memory=0.1)
    monkeypatch.setattr(room, "find_local_weights", lambda _: None)

    assert check(**given) == ""


def test_weights_on_gpus_are_compared_with_the_smallest_free_memory_or_with_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_room(monkeypatch, memory=0.1)
    monkeypatch.setattr(
        room, "list_gpu_memory", lambda: [GpuMemory("Large", 80_000, 400), GpuMemory("Small", 900, 300)]
    )

    assert "the weights need 0.5 GB of GPU memory and 0.3 GB are free" in check(has_gpus=True)
    assert check(has_gpus=True, device_map="auto") == ""


def test_a_cluster_that_has_too_little_room_is_not_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_room(monkeypatch, memory=1)
    monkeypatch.setattr("gistmill.cli.up.signal.signal", lambda *_: None)
    monkeypatch.setattr("gistmill.cli.up.list_gpus", lambda _: [])
    monkeypatch.setenv("GISTMILL_HOME", str(tmp_path / "home"))

    assert run(make_group(), name="gistmill", arguments=["up"]) == 1

    assert "and 1.0 GB are free" in capsys.readouterr().err
    assert not (tmp_path / "home" / "postgres").exists()
