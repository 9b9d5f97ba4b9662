"""Entry points of migration for ``gistmill up``, ``gistmill migrate``, ``gistmill doctor`` and tests."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from models.errors import NewerSchemaError

# Key of the lock that serializes concurrent migrations; any constant.
ADVISORY_LOCK = 7_114_003


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


def _run(engine: Engine, action: object, revision: str) -> None:
    config = make_config()
    # The lock has a connection of its own, because each revision is a transaction.
    with engine.begin() as lock, engine.connect() as connection:
        lock.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        lock.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        action(config, revision)  # type: ignore[operator]
