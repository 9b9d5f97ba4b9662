"""docker-compose.yml as Compose understands it: anchors, profiles and variables resolved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker-compose.yml"
PER_GPU = ROOT / "docs" / "compose" / "per-gpu.yml"
SECRETS = ("POSTGRES", "BROKER", "PRODUCER", "WORKER", "ANALYST", "DELETER", "FLOWER", "GRAFANA")
PROFILES = ("cpu", "monitoring", "producer")


class ComposeLoader(yaml.SafeLoader):
    """Reads the two tags that Compose adds to YAML."""


ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


def load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), ComposeLoader)  # type: ignore[no-any-return]


def resolve(folder: Path, *, without: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``podman-compose config``, which asks podman for its version before it interpolates."""
    podman = folder / "podman"
    podman.write_text("#!/bin/sh\necho podman version 5.4.0\n")
    podman.chmod(0o755)
    environment = {f"GISTMILL_{name}_PASSWORD": f"{name.lower()}-secret" for name in SECRETS if name != without}
    profiles = [part for name in PROFILES for part in ("--profile", name)]
    return subprocess.run(
        [sys.executable, "-m", "podman_compose", "--file", str(COMPOSE), *profiles, "config"],
        env=environment | {"PATH": f"{folder}:{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def read_services(folder: Path) -> dict[str, Any]:
    """Return every service with its anchors, profiles and variables resolved."""
    done = resolve(folder)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]  # type: ignore[no-any-return]
