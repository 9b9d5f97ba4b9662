"""Environment of Alembic: migrates over the caller's connection, or over one to ``GISTMILL_DATABASE_URL``."""

from __future__ import annotations

import re

from alembic import context
from sqlalchemy import Connection

from models.session import connect
from models.settings import read_settings
from models.tables import Base

# Partitions are created by functions of the database, not declared.
PARTITION = re.compile(r"(steps|step_attempts)_(default|old|\d{4}_\d\d)")


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether a name in the database is compared with the tables that the code declares."""
    return kind != "table" or not PARTITION.fullmatch(name or "")


def run(connection: Connection) -> None:
    """Migrate over one connection, in one transaction a revision: one may prepare its own in smaller ones."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        include_name=is_declared,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Migrate over the caller's connection, or open one."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    engine = connect(read_settings().require_database_url(), application="gistmill migrate")
    with engine.connect() as connection:
        run(connection)
    engine.dispose()


main()
