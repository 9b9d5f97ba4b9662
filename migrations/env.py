"""Environment of Alembic: migrates over the caller's connection, or over one to ``GISTMILL_DATABASE_URL``."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from models.session import connect
from models.settings import read_settings
from models.tables import Base


def run(connection: Connection) -> None:
    """Migrate over one connection, in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
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
