"""Command ``gistmill down``: stop the cluster of this machine."""

from __future__ import annotations

import os
import signal
import time

import click

from gistmill.cli.edge import ExitCode, fail

# Seconds for the servers to stop after the workers have drained.
STOP_SECONDS = 120
# Seconds after which the wait is reported, and again after as many.
REPORT_SECONDS = 10


@click.command()
def down() -> int:
    """Stop the cluster that `gistmill up` runs on this machine; its data stays.

    Running steps have GISTMILL_DRAIN_SECONDS to end; what has not ended by then waits for the next
    start. Returns when everything has stopped.

    \b
    Examples:
      gistmill down
      GISTMILL_HOME=/data/gistmill gistmill down
    """
    from models.settings import read_settings
    from workers.local.home import open_home

    settings = read_settings()
    if not settings.home.expanduser().exists():
        return fail(f"nothing runs: there is no {settings.home}; GISTMILL_HOME names the folder", ExitCode.FAILED)
    home = open_home(settings.home)
    holder = home.find_holder()
    if holder is None:
        return fail(f"nothing runs on {home.folder}", ExitCode.FAILED)
    click.echo(f"stopping: running steps have {settings.drain_seconds:.0f} s to end", err=True)
    os.kill(holder, signal.SIGTERM)
    began = said = time.monotonic()
    while home.find_holder() == holder:
        now = time.monotonic()
        if now > began + settings.drain_seconds + STOP_SECONDS:
            return fail(f"process {holder} has not stopped; its logs are in {home.logs}", ExitCode.FAILED)
        if now > said + REPORT_SECONDS:
            click.echo(f"  not stopped after {now - began:.0f} s", err=True)
            said = now
        time.sleep(0.1)
    click.echo("stopped; the data is kept")
    return ExitCode.DONE
