"""Command ``gistmill migrate``: create or upgrade the schema of the results database."""

from __future__ import annotations

import click

from migrations.run import upgrade
from models.session import open_database
from models.settings import read_settings


@click.command()
@click.option("--revision", default="head", show_default=True, help="Revision to go to.")
def migrate(revision: str) -> None:
    """Create or upgrade the tables of the results database.

    \b
    Examples:
      gistmill migrate
      GISTMILL_DATABASE_URL=postgresql://user:password@host/db gistmill migrate
    """
    with open_database(read_settings().require_database_url()) as engine:
        upgrade(engine, revision)
    click.echo(f"the schema is at {revision}")
