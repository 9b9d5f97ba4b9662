"""Command ``gistmill url``: the addresses of the cluster of this machine, for other programs."""

from __future__ import annotations

import click

from gistmill.cli.edge import ExitCode, fail
from gistmill.cli.output import json_option, print_json


@click.command()
@click.argument("name", type=click.Choice(("database", "broker", "flower", "http")), required=False)
@json_option
def url(name: str | None, *, as_json: bool) -> int:
    """Print the addresses of the servers that `gistmill up` runs, with their passwords.

    \b
    Examples:
      gistmill url
      psql "$(gistmill url database)"
      redis-cli -u "$(gistmill url broker)"
    """
    from models.settings import read_settings
    from workers.local.home import open_home

    folder = read_settings().home.expanduser()
    servers = open_home(folder).read_servers() if folder.exists() else {}
    if not servers:
        return fail(f"nothing runs on {folder}; start it with `gistmill up`", ExitCode.FAILED)
    addresses = {key.removesuffix("_url"): address for key, address in servers.items()}
    if name is not None:
        addresses = {name: addresses[name]}
    if as_json:
        print_json(addresses)
    elif name is not None:
        click.echo(addresses[name])
    else:
        for key, address in addresses.items():
            click.echo(f"{key}: {address}")
    return ExitCode.DONE
