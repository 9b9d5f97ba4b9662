"""Data folder of a single-machine cluster: its files, ports and passwords."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.full_disk import find_write_error
from models.settings import SERVERS_FILE
from workers.errors import AlreadyRunningError, HomeError
from workers.local.postgres import Postgres
from workers.local.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Home:
    """Data folder ``GISTMILL_HOME`` with its embedded servers."""

    folder: Path
    postgres: Postgres
    valkey: Valkey

    @property
    def servers_file(self) -> Path:
        """File with the servers' addresses, for other commands; present while the servers run."""
        return self.folder / SERVERS_FILE

    @property
    def logs(self) -> Path:
        """Folder of the log files, one per process."""
        return self.folder / "logs"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold an exclusive lock on this home; the kernel releases it even if the process is killed.

        Raises:
            AlreadyRunningError: another process holds the lock.
        """
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(
                    f"Gistmill is already running on {self.folder}; `gistmill url` prints its addresses, "
                    "`gistmill down` stops it"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def find_holder(self) -> int | None:
        """Return the id of the process that holds the lock; None if none does."""
        path = self.folder / "lock"
        if not path.exists():
            return None
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                return int(file.read() or 0) or None
        return None

    def read_servers(self) -> dict[str, str]:
        """Return the addresses of the running servers by name; {} if none run."""
        try:
            servers: dict[str, str] = json.loads(self.servers_file.read_text())
        except FileNotFoundError:
            return {}
        return servers

    def publish_servers(self, **addresses: str) -> None:
        """Write the servers' addresses for other commands; readable by the owner only, as they contain passwords."""
        _write_json(self.servers_file, addresses)

    def withdraw_servers(self) -> None:
        """Remove the addresses when the servers stop."""
        self.servers_file.unlink(missing_ok=True)


def open_home(folder: Path) -> Home:
    """Open the data folder; create it with new ports and passwords if it does not exist.

    Raises:
        HomeError: the folder cannot be created.
    """
    folder = folder.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if find_write_error(error) is not None:
            raise
        raise HomeError(
            f"{folder} cannot be made ({error.strerror}); set GISTMILL_HOME to a folder that you may write to"
        ) from error
    path = folder / "home.json"
    if path.exists():
        values: dict[str, str] = json.loads(path.read_text())
    else:
        values = {f"{name}_password": secrets.token_urlsafe(18) for name in ("postgres", "valkey")}
        values |= {f"{name}_port": str(port) for name, port in zip(("postgres", "valkey"), free_ports(2), strict=True)}
        _write_json(path, values)
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    return Home(
        folder=folder,
        postgres=Postgres(folder / "postgres", int(values["postgres_port"]), values["postgres_password"]),
        valkey=Valkey(folder / "valkey", int(values["valkey_port"]), values["valkey_password"]),
    )


def _write_json(path: Path, values: dict[str, str]) -> None:
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(values, indent=2) + "\n")
    part.replace(path)


def free_ports(count: int) -> list[int]:
    """Return distinct TCP ports of 127.0.0.1 that were free when probed."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()


def is_port_free(port: int) -> bool:
    """Return whether no program listens on a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        # As the servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
