"""What the supervisor does with a process that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import wait_until
from tests.processes import PATIENCE, run_server
from workers.local.daemon import REMOVE_FOLDER
from workers.local.supervisor import STARTED_AFTER_SECONDS, Program, Supervisor

FINAL = 78


def describe(name: str, folder: Path, code: int) -> Program:
    """Return a program that counts its starts in a file, lives until it has started, and ends with a code."""
    count = f"open({str(folder / name)!r}, 'a').write('x')"
    body = f"import sys, time; {count}; time.sleep({STARTED_AFTER_SECONDS} + 0.5); sys.exit({code})"
    return Program(name, [sys.executable, "-c", body], is_automatic=True, final_code=FINAL)


def test_it_ends_with_code_1_and_without_its_folder_when_every_process_has_ended_for_good(tmp_path: Path) -> None:
    programs = [describe(name, tmp_path, FINAL) for name in ("first", "second")]
    folder = tmp_path / "configuration"
    folder.mkdir()
    command = [*Supervisor(folder, programs, logs=None).command, REMOVE_FOLDER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "no worker process is left" in done.stderr
    assert [(tmp_path / name).read_text() for name in ("first", "second")] == ["x", "x"]
    assert not folder.exists()


def test_a_process_that_ended_otherwise_is_started_again_and_keeps_it_alive(tmp_path: Path) -> None:
    programs = [describe("final", tmp_path, FINAL), describe("crashing", tmp_path, 1)]
    (tmp_path / "crashing").touch()
    with run_server(Supervisor(tmp_path, programs, logs=None).command, tmp_path / "log"):
        wait_until(lambda: len((tmp_path / "crashing").read_text()) > 1, "the crashing process starts again")
    assert (tmp_path / "final").read_text() == "x"
    assert (tmp_path / "supervisord.conf").exists()
