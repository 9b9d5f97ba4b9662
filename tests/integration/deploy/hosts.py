"""Separate hosts on one machine: each has a network, a name and process ids of its own, joined by a switch."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import PATIENCE

# A private range that is unlikely to be in use on the machine of a developer; each switch takes a free part of it.
RANGE = "10.213"
OPERATOR = 254


@dataclass(frozen=True, slots=True)
class Host:
    """One host: a network namespace with one cable to the switch."""

    name: str
    namespace: str
    address: str

    def describe_command(self, command: Sequence[str], *, user: str | None = None) -> list[str]:
        """Return the command line that runs a command on this host."""
        isolate = ["unshare", "--uts", "--pid", "--fork", "--mount-proc"]
        rename = ["sh", "-c", f'hostname {self.name} && exec "$@"', "sh"]
        become = ["runuser", "-u", user, "--"] if user else []
        return ["ip", "netns", "exec", self.namespace, *isolate, *rename, *become, *command]

    @contextmanager
    def run(self, command: Sequence[str], log: Path, *, user: str | None = None) -> Iterator[None]:
        """Run a server on this host for the length of a block."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.describe_command(command, user=user),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=PATIENCE)


class Switch:
    """A bridge in a namespace of its own, with a cable to each host and one to this machine."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex[:6]
        self.prefix = find_free_prefix()
        self._namespace = f"gistmill-{self._mark}-switch"
        self._hosts: list[Host] = []

    @contextmanager
    def run(self) -> Iterator[None]:
        """Set it up, and take every namespace down at the end; their cables go with them."""
        try:
            self._add_namespace(self._namespace)
            self._inside("link", "add", "bridge", "type", "bridge")
            self._inside("link", "set", "bridge", "up")
            self._connect(self._mark, f"{self.prefix}.{OPERATOR}", namespace=None)
            yield
        finally:
            for namespace in (*(host.namespace for host in self._hosts), self._namespace):
                subprocess.run(["ip", "netns", "del", namespace], check=False, stderr=subprocess.DEVNULL)

    def add_host(self, name: str) -> Host:
        """Return a new host that is connected."""
        host = Host(name, f"gistmill-{self._mark}-{name}", f"{self.prefix}.{len(self._hosts) + 1}")
        self._add_namespace(host.namespace)
        self._hosts.append(host)
        self._connect(name, host.address, namespace=host.namespace)
        return host

    def cut_off(self, host: Host) -> None:
        """Pull a host's cable: what is on its way is lost, and nobody is told."""
        self._inside("link", "set", f"to-{host.name}", "down")

    def join(self, host: Host) -> None:
        """Plug it in again."""
        self._inside("link", "set", f"to-{host.name}", "up")

    def _connect(self, name: str, address: str, *, namespace: str | None) -> None:
        cable, port = f"gm-{name}", f"to-{name}"
        self._inside("link", "add", cable, "type", "veth", "peer", "name", port)
        self._inside("link", "set", port, "master", "bridge", "up")
        self._inside("link", "set", cable, "netns", namespace or "1")
        where = ["-n", namespace] if namespace else []
        run_ip(*where, "address", "add", f"{address}/24", "dev", cable)
        run_ip(*where, "link", "set", cable, "up")

    def _inside(self, *arguments: str) -> None:
        run_ip("-n", self._namespace, *arguments)

    @staticmethod
    def _add_namespace(name: str) -> None:
        run_ip("netns", "add", name)
        run_ip("-n", name, "link", "set", "lo", "up")


def run_ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``ip`` of iproute2."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def find_free_prefix() -> str:
    """Return the first three numbers of a network that nobody uses here, a switch left by a killed run neither."""
    addresses = run_ip("-oneline", "-4", "address").stdout
    return random.choice([prefix for part in range(256) if f" {(prefix := f'{RANGE}.{part}')}." not in addresses])


def explain_missing() -> str | None:
    """Return why hosts cannot be made here, None if they can."""
    if os.geteuid() != 0:
        return "separate hosts need root"
    missing = [name for name in ("ip", "unshare", "runuser") if shutil.which(name) is None]
    if missing:
        return f"separate hosts need {', '.join(missing)} (Debian packages iproute2 and util-linux)"
    probe = f"gistmill-probe-{uuid.uuid4().hex[:6]}"
    if subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode:
        return "separate hosts need a kernel and a container that let root make network namespaces"
    run_ip("netns", "del", probe)
    return None
