"""The embedded Postgres' own ``pg_dump``."""

from __future__ import annotations

import subprocess

from sqlalchemy import make_url

from tests.processes import PATIENCE
from workers.local.postgres import binaries


def dump_database(database_url: str, *options: str) -> str:
    """Return everything that ``pg_dump`` writes."""
    owner = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(binaries() / "pg_dump"), *options, owner]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
