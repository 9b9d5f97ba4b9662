"""Which exit code a launcher ends with, and what it leaves for the workers that wait."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.settings import Settings
from workers.errors import FINAL_CODE, ServerStartError, ServingError, ShortageError
from workers.local import vllm_launcher
from workers.local.vllm_launcher import ServerDiedError, main
from workers.service import ENGINE_DIED_CODE
from workers.started_server import FILE_VARIABLE, StartedServer, find_started_server


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StartedServer:
    """The file that the launcher and its workers share."""
    monkeypatch.setattr(sys, "argv", ["vllm_launcher", "--port", "8001", "--name", "default"])
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "server.json"))
    return StartedServer(tmp_path / "server.json")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServingError("vLLM cannot serve them"), FINAL_CODE),
        (ShortageError("the GPU is full"), 1),
        (ServerStartError("it wrote nothing"), 1),
        (ServerDiedError("vLLM ended"), ENGINE_DIED_CODE),
    ],
)
def test_only_a_failure_that_no_restart_helps_is_left_for_the_workers(
    error: Exception,
    code: int,
    started: StartedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_settings: Settings, _started: StartedServer, **_: object) -> None:
        raise error

    monkeypatch.setattr(vllm_launcher, "run_server", fail)
    assert main() == code
    assert capsys.readouterr().err == f"gistmill: error: {error}\n"
    found = find_started_server()
    assert found == started
    if code != FINAL_CODE:
        started.check_failure()
        return
    with pytest.raises(ServingError, match="vLLM cannot serve them"):
        started.check_failure()
