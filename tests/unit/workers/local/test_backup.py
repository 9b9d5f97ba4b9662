"""Programs of Postgres get the password where other users of the machine cannot read it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from workers.local import backup


def test_no_password_is_on_a_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(backup, "binaries", lambda: Path("/bin"))
    monkeypatch.setattr(subprocess, "run", run)
    backup.write_backup("postgresql://gistmill:p%40ss-word@127.0.0.1:5432/gistmill?sslmode=require", tmp_path / "a")

    [(command, environment)] = calls
    assert "ss-word" not in " ".join(command)
    assert "--dbname=postgresql://gistmill@127.0.0.1:5432/gistmill?sslmode=require" in command
    assert environment["PGPASSWORD"] == "p@ss-word"
