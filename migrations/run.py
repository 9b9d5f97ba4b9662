"""Entry points of migration for ``gistmill up``, ``gistmill migrate``, ``gistmill doctor`` and tests."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from models.errors import NewerSchemaError

# Key of the lock that serializes concurrent migrations; any constant.
ADVISORY_LOCK = 7_114_003
LOCK = f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"


def make_config() -> Config:
    """Return Alembic's configuration without an ini file, so that it works from an installed wheel."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Upgrade the schema to a revision; wait while another process migrates."""
    _check_known(engine)
    _run(engine, command.upgrade, revision)


def _check_known(engine: Engine) -> None:
    """Raise NewerSchemaError if the database has a revision that this version does not know."""
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and not is_known(present):
        raise NewerSchemaError(
            f"the database has schema {present}, and this version of Gistmill knows schemas up to {find_head()}; "
            "install the version that made it, or a newer one"
        )


def downgrade(engine: Engine, revision: str) -> None:
    """Downgrade the schema to a revision."""
    _run(engine, command.downgrade, revision)


def find_head() -> str | None:
    """Return the revision of this version."""
    return ScriptDirectory.from_config(make_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Return whether this version has a revision, which it can then upgrade from."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(make_config()).walk_revisions())


def _try_lock(connection: Connection) -> bool:
    """Wait a second for the lock, which the transaction of a connection holds until its end."""
    # Not for longer: a revision that builds an index waits for every statement that began before.
    connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    try:
        # Without parameters the statement keeps no snapshot, for which the building of an index would wait.
        connection.exec_driver_sql(LOCK, execution_options={"no_parameters": True})
    except OperationalError:
        connection.rollback()
        return False
    return True


def _run(engine: Engine, action: object, revision: str) -> None:
    config = make_config()
    # The lock has a connection of its own, because each revision is a transaction.
    with engine.connect() as lock, engine.connect() as connection:
        while not _try_lock(lock):
            pass
        config.attributes["connection"] = connection
        action(config, revision)  # type: ignore[operator]
