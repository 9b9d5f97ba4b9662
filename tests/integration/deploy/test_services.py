"""The services of docker-compose.yml without containers: started with the very command lines, environments and checks.

Only what a container gives is replaced: where programs lie, names of hosts, ports, and folders.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import wait_until
from tests.integration.deploy.compose import ROOT, SECRETS, read_services
from tests.processes import PATIENCE, run_server
from tests.tiny_gemma import TINY_SETTINGS
from workers.local.home import Home, free_ports, open_home
from workers.local.postgres import binaries

# Services whose image starts `gistmill`.
OF_PRODUCER = ("migrate", "serve", "producer")
GISTMILL = [str(Path(sys.executable).with_name("gistmill"))]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine that runs the services as processes."""

    services: dict[str, Any]
    home: Home
    replaced: dict[str, str]
    programs: dict[str, list[str]]

    def command(self, name: str) -> list[str]:
        """Return a service's command line."""
        service = self.services[name]
        entry = ["gistmill"] if name in OF_PRODUCER else []
        return self.localize([*service.get("entrypoint", entry), *service["command"]])

    def localize(self, words: Sequence[str]) -> list[str]:
        """Return a command line of a container as this machine runs it."""
        program, *rest = words
        return [*self.programs[program], *(self.replace(word) for word in rest)]

    def environment(self, name: str, **more: str) -> dict[str, str]:
        """Return a service's environment and nothing of Gistmill's besides."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith("GISTMILL_")}
        given = self.services[name].get("environment", {})
        inner = {key: self.replace(str(value)) for key, value in given.items() if value is not None}
        ours = {"PGPORT": str(self.home.postgres.port), "GISTMILL_HOME": str(self.home.folder)}
        return outer | inner | ours | more

    def replace(self, text: str) -> str:
        """Put this machine's places into a word."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text

    @contextmanager
    def serve(self, name: str, *more: str, user: str | None = None, **environment: str) -> Iterator[None]:
        """Run a service until the end of a block, from the moment that its health check is content."""
        settings = [f"{key}={value}" for key, value in self.environment(name, **environment).items()]
        command = ["env", "--ignore-environment", *settings, *self.command(name), *more]
        log = self.home.logs / f"{name}.log"
        with run_server(command, log, user=user) as process:
            wait_until(lambda: self.is_healthy(name) or process.poll() is not None, f"{name} is healthy")
            assert process.poll() is None, log.read_text()
            yield

    def is_healthy(self, name: str) -> bool:
        """Run a service's health check."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        if kind == "CMD-SHELL":  # asks with valkey-cli, which the wheel does not have
            return "Ready to accept connections" in (self.home.logs / f"{name}.log").read_text()
        return self.run(name, self.localize(words), check=False).returncode == 0

    def run(self, name: str, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command line to its end in a service's environment."""
        done = subprocess.run(
            command, env=self.environment(name), cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing runs yet."""
    home = open_home(tmp_path / "home")
    home.postgres.initialize()
    flower, metrics, http = (str(port) for port in free_ports(3))
    (folder := tmp_path / "compose").mkdir()
    return Machine(
        services=read_services(folder),
        home=home,
        replaced={
            "postgres-secret": home.postgres.password,
            "@postgres:5432": f"@127.0.0.1:{home.postgres.port}",
            "@redis:6379": f"@127.0.0.1:{home.valkey.port}",
            "/roles.sql": str(ROOT / "docs/roles.sql"),
            "/state/flower.db": str(home.folder / "flower.db"),
            "5555": flower,
            "9464": metrics,
            "8000": http,
        },
        programs={
            "gistmill": GISTMILL,
            "celery": [sys.executable, "-m", "celery"],
            "python": [sys.executable],
            "valkey-server": home.valkey.command[:1],
            **{name: [str(binaries() / name)] for name in ("postgres", "psql", "pg_isready")},
        },
    )


def test_the_cluster_of_compose_comes_up_and_does_a_job(machine: Machine, tiny_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("The pump stopped on Monday and started again on Tuesday. " * 5)
    home = machine.home
    place = ["-D", str(home.postgres.folder), "-c", f"port={home.postgres.port}", "-c", "unix_socket_directories="]
    (home.folder / "redis").mkdir()
    broker = ["--port", str(home.valkey.port), "--bind", "127.0.0.1", "--dir", str(home.folder / "redis")]
    with ExitStack() as stack:
        stack.enter_context(machine.serve("postgres", *place, user=home.postgres.system_user))
        stack.enter_context(machine.serve("redis", *broker))
        machine.run("migrate", machine.command("migrate"))
        # psql asks the host of the environment.
        machine.services["roles"]["environment"]["PGHOST"] = "127.0.0.1"
        machine.run("roles", machine.command("roles"))
        stack.enter_context(machine.serve("flower"))
        stack.enter_context(machine.serve("serve"))
        port = machine.replace("9464")
        weights = {"GISTMILL_WEIGHTS": str(tiny_weights), "GISTMILL_METRICS_PORT": port, **TINY_SETTINGS}
        stack.enter_context(machine.serve("worker-cpu", **weights))
        submit = ["submit", str(tmp_path / "note.txt"), "--strategy", "stuff", "--max-new-tokens", "8", "--batch", "b"]
        machine.run("producer", [*GISTMILL, *submit])
        watched = machine.run("producer", [*GISTMILL, "watch", "b"], check=False)
        assert watched.returncode in (0, 3), watched.stderr
        assert "1 of 1 jobs" in watched.stdout
        assert "b      " in machine.run("producer", machine.command("producer")).stdout
        address = f"http://127.0.0.1:{machine.replace('8000')}/api/batches"
        token = {"Authorization": f"Bearer {SECRETS['GISTMILL_SERVE_TOKEN']}"}
        assert httpx.get(address).status_code == 401
        assert [batch["batch"] for batch in httpx.get(address, headers=token).json()["data"]] == ["b"]
