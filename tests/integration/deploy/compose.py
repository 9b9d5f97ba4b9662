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
WITH_VLLM = ROOT / "docs" / "compose" / "vllm.yml"
OWNERS = ("POSTGRES", "BROKER", "PRODUCER", "WORKER", "ANALYST", "DELETER", "FLOWER", "GRAFANA")
SECRETS = {f"GISTMILL_{name}_PASSWORD": f"{name.lower()}-secret" for name in OWNERS}
SECRETS["GISTMILL_SERVE_TOKEN"] = "serve-secret-of-24-signs"
PROFILES = ("cpu", "monitoring", "producer")


class ComposeLoader(yaml.SafeLoader):
    """Reads the two tags that Compose adds to YAML."""


ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


def load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), ComposeLoader)  # type: ignore[no-any-return]


def resolve(folder: Path, *overrides: Path, without: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``podman-compose config``, which asks podman for its version before it interpolates."""
    podman = folder / "podman"
    podman.write_text("#!/bin/sh\necho podman version 5.4.0\n")
    podman.chmod(0o755)
    environment = {name: secret for name, secret in SECRETS.items() if name != without}
    options = [part for name in PROFILES for part in ("--profile", name)]
    options += [part for path in overrides for part in ("--file", str(path))]
    return subprocess.run(
        [sys.executable, "-m", "podman_compose", "--file", str(COMPOSE), *options, "config"],
        env=environment | variables | {"PATH": f"{folder}:{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def read_services(folder: Path, *overrides: Path, **variables: str) -> dict[str, Any]:
    """Return every service with its anchors, profiles and variables resolved."""
    done = resolve(folder, *overrides, **variables)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]  # type: ignore[no-any-return]
