"""The four database roles of docs/roles.sql on the embedded Postgres."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from tests.processes import PATIENCE
from workers.local.postgres import binaries

ROLES_SQL = Path(__file__).resolve().parents[1] / "docs" / "roles.sql"


def apply_roles(database_url: str) -> dict[str, str]:
    """Create the roles as an operator does, and return the address of the database for each."""
    passwords = {name: f"{name}-secret" for name in ("producer", "worker", "analyst", "deleter")}
    owner = make_url(database_url).set(drivername="postgresql")
    psql = [str(binaries() / "psql"), owner.render_as_string(hide_password=False)]
    subprocess.run(
        [*psql, "--no-psqlrc", "--quiet", "--single-transaction", "--file", str(ROLES_SQL)],
        env=os.environ | {f"GISTMILL_{name.upper()}_PASSWORD": value for name, value in passwords.items()},
        check=True,
        timeout=PATIENCE,
    )
    return {
        name: make_url(database_url)
        .set(username=f"gistmill_{name}", password=password)
        .render_as_string(hide_password=False)
        for name, password in passwords.items()
    }
