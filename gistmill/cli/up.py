"""Command ``gistmill up``: run the whole cluster on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

import click

from gistmill.cli.weights_checks import prepare_weights
from gistmill.doctor.room import check_room
from gistmill.http.guard import check_address
from models.full_disk import explain_full_disk
from models.settings import DEFAULT_NAME, Settings, read_settings
from workers.errors import AlreadyRunningError
from workers.local.launch import choose_gpus, list_gpus
from workers.local.stack import REMEDY, Stack


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """A signal requested an orderly stop."""


@click.command()
@click.option("--gpus", metavar="0,2", help="Indexes of the GPUs to use; all visible ones by default.")
@click.option("--serve", "names", metavar="NAME", multiple=True, help="Weights to serve; may be repeated.")
@click.option("--show-passwords", is_flag=True, help="Print the addresses with their passwords.")
@click.option("--force", is_flag=True, help="Start even if memory or disk is too small for the weights and servers.")
def up(gpus: str | None, names: tuple[str, ...], *, show_passwords: bool, force: bool) -> None:
    """Start Postgres, Valkey, workers, the HTTP server with its live page, and Flower on this machine.

    Ctrl-C stops them and keeps the data.

    Other commands of this user find the servers by themselves; `gistmill url` prints their addresses
    for other programs. `gistmill down` stops them from another terminal, `gistmill logs` reads their
    logs.

    With --serve every name gets a worker process of its own, so that several weights serve side by
    side: "default" is what the settings say, other names are those of `gistmill weights list`, which
    knows the packaged weights with and without their adapter.

    Nothing is started on a machine whose free memory or disk is too small; --force starts all the same.

    \b
    Examples:
      gistmill up
      gistmill up --serve default --serve gemma-3-270m
      GISTMILL_HOME=/data/gistmill gistmill up --gpus 0,1
    """
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _raise_stopped)
    settings = read_settings()
    check_address(settings)
    chosen = choose_gpus(list_gpus(os.environ), gpus)
    try:
        with explain_full_disk(settings.home, remedy=REMEDY):
            stack = Stack(settings, chosen, names=names, report=_print_step)
        if not force:
            check_start(stack, settings, has_gpus=bool(chosen), workers=len(names) or 1)
        prepare_weights(settings.weights)
        click.echo(f"Gistmill on {stack.home.folder}")
        # Jobs without --weights need a worker for the default name.
        weights = f" --weights {names[0]}" if names and DEFAULT_NAME not in names else ""
        with stack.run() as addresses:
            database, broker = (
                (url if show_passwords else hide_password(url))
                for url in (addresses.database_url, addresses.broker_url)
            )
            click.echo(
                f"\nready\n  results database: {database}\n  broker: {broker}\n"
                f"  live page: {addresses.http_url}\n  API: {addresses.http_url}/docs\n"
                f"  Flower: {addresses.flower_url}\n  logs: {stack.home.logs}\n\n"
                f"Submit from another terminal: gistmill submit PATH...{weights}\n"
                "Ctrl-C stops everything and keeps the data."
            )
            stack.watch()
    except Stopped:
        click.echo("stopped; the data is kept")


def hide_password(url: str) -> str:
    """Return an address with three dots for its password."""
    head, at, tail = url.rpartition("@")
    scheme, colon, _ = head.rpartition(":")
    return f"{scheme}{colon}...{at}{tail}"


@contextmanager
def run_missing_cluster() -> Iterator[None]:
    """Run the whole cluster for a block, unless the settings name servers or a cluster already runs."""
    settings = read_settings()
    with ExitStack() as stack:
        if not (settings.database_url and settings.broker_url):
            gpus = list_gpus(os.environ)
            local = Stack(settings, gpus, report=_print_step)
            check_start(local, settings, has_gpus=bool(gpus), workers=1)
            prepare_weights(settings.weights)
            with suppress(AlreadyRunningError):
                stack.enter_context(local.run())
        yield


def check_start(stack: Stack, settings: Settings, *, has_gpus: bool, workers: int) -> None:
    """Refuse a start that memory or disk is too small for; a cluster that runs has its part already.

    Raises:
        ShortageError: something is too small.
    """
    if stack.home.find_holder() is None:
        check_room(settings, has_gpus=has_gpus, workers=workers)


def _print_step(words: str) -> None:
    click.echo(f"  {words} ...")


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    # Ignore further signals, so that they do not interrupt the orderly stop.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise Stopped
