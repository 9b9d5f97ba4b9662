"""Backup of the results database of ``gistmill up`` to one file, and its restoration into an empty home.

The file is pg_dump's custom format, written by the embedded server's own programs; the broker needs no backup, because
the rescue sends the messages of all waiting steps again.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from migrations.run import upgrade
from models.errors import FullDiskError
from models.full_disk import REMEDY, explain_full_disk
from models.session import connect
from workers.errors import BackupError
from workers.local.home import Home
from workers.local.postgres import binaries

# Seconds for the server to answer, crash recovery included.
SERVER_SECONDS = 60


def write_backup(database_url: str, path: Path) -> None:
    """Write everything in a database to a file, consistent while work goes on; an older file is replaced at the end.

    Args:
        database_url: address in psql's format.
        path: the file.

    Raises:
        BackupError: it cannot be written, or the database not be read.
        FullDiskError: its disk is full.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        # Readable by the owner only, because it holds the documents.
        with explain_full_disk(path):
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    except OSError as error:
        raise BackupError(f"{path} cannot be written ({error.strerror}); give another file") from error
    try:
        address, password = split_password(database_url)
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
        _run("pg_dump", *options, f"--dbname={address}", password=password, written=path)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def restore_backup(home: Home, path: Path) -> None:
    """Fill the empty database of a home from a file; the home's cluster must not run.

    Raises:
        BackupError: the file is no backup, or the database is not empty.
        AlreadyRunningError: the cluster runs.
        FullDiskError: the disk of the home is full; its database is as empty as before.
        NewerSchemaError: the backup is of a newer version.
    """
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    # Fails with a sentence before anything is changed.
    _run("pg_restore", "--list", str(path))
    with explain_full_disk(home.folder), home.lock(), run_postgres(home) as engine:
        if inspect(engine).get_table_names():
            raise BackupError(
                f"the database of {home.folder} is not empty; set GISTMILL_HOME to an empty folder, or remove this one"
            )
        options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        address, password = split_password(home.postgres.url)
        _run("pg_restore", *options, f"--dbname={address}", str(path), password=password, written=home.folder)
        upgrade(engine)


def split_password(database_url: str) -> tuple[str, str]:
    """Return an address in psql's format without its password, and the password; "" without one."""
    url = make_url(database_url)
    return url._replace(password=None).render_as_string(), str(url.password or "")


@contextmanager
def run_postgres(home: Home) -> Iterator[Engine]:
    """Run the embedded Postgres of a home alone for a block."""
    home.postgres.initialize()
    with (home.logs / "postgres.log").open("ab") as log:
        server = subprocess.Popen(
            home.postgres.command, user=home.postgres.system_user, stdout=log, stderr=log, cwd="/"
        )
        engine = connect(home.postgres.url.replace("postgresql://", "postgresql+psycopg://", 1), pool_size=1)
        try:
            _wait_until_up(engine, server, home)
            yield engine
        finally:
            engine.dispose()
            # SIGINT is the fast shutdown: it ends sessions and writes a checkpoint.
            server.send_signal(2)
            server.wait()


def _wait_until_up(engine: Engine, server: subprocess.Popen[bytes], home: Home) -> None:
    until = time.monotonic() + SERVER_SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.1)
    raise BackupError(f"Postgres did not start; its log is {home.logs / 'postgres.log'}")


def _run(program: str, *arguments: str, password: str = "", written: Path | None = None) -> None:
    """Run a program of Postgres, whose errors name no path that it writes.

    The password goes by the environment, because every user sees command lines.
    """
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(
        [str(binaries() / program), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        if written is not None and os.strerror(errno.ENOSPC) in done.stderr:
            raise FullDiskError(f"{written} cannot be written: {os.strerror(errno.ENOSPC)}; {REMEDY}")
        last = (done.stderr.strip() or f"{program} failed").splitlines()[0]
        raise BackupError(last)
