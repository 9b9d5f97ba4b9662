"""Commands ``gistmill backup`` and ``gistmill restore``: the results database of this machine as one file."""

from __future__ import annotations

from pathlib import Path

import click

from gistmill.cli.edge import ExitCode
from producer.wording import count


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> int:
    """Write everything in the results database of `gistmill up` to FILE, while work goes on.

    The file holds the documents: keep it where they may be kept. `gistmill restore` reads it.

    \b
    Examples:
      gistmill backup monday.gistmill
    """
    from models.settings import read_settings
    from workers.local.backup import write_backup

    url = read_settings().require_database_url().replace("postgresql+psycopg://", "postgresql://", 1)
    write_backup(url, file)
    click.echo(f"{file}: {count(file.stat().st_size, 'byte')}")
    return ExitCode.DONE


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def restore(file: Path) -> int:
    """Fill the empty results database of this machine from FILE, which `gistmill backup` has written.

    `gistmill up` must not run; its next start goes on with the work that was waiting.

    \b
    Examples:
      GISTMILL_HOME=/data/gistmill gistmill restore monday.gistmill
    """
    from models.settings import read_settings
    from workers.local.backup import restore_backup
    from workers.local.home import open_home

    home = open_home(read_settings().home)
    restore_backup(home, file)
    click.echo(f"restored into {home.folder}; start it with `gistmill up`")
    return ExitCode.DONE
