"""Command ``gistmill watch``: follow a batch until it ends."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from shlex import quote
from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_client
from gistmill.cli.edge import ExitCode
from gistmill.cli.output import json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from producer.status import Snapshot

# Seconds between two polls: for a live screen, and for lines or JSON.
LIVE_INTERVAL = 1.0
PLAIN_INTERVAL = 5.0


@click.command()
@click.argument("batch", required=False)
@click.option(
    "--interval", type=click.FloatRange(min=0.1), help="Seconds between two snapshots.  [default: 1, plain 5]"
)
@json_option
def watch(batch: str | None, interval: float | None, *, as_json: bool) -> int:
    """Follow a batch, the latest one by default, until all its jobs and their checks have ended.

    Ctrl-C ends the watching, not the work. A restart of the servers is waited for. Exit code 3 if
    some jobs did not succeed or need review, as those below their gate do; a flagged sentence alone
    does not change it. With --json every snapshot is one line.

    \b
    Examples:
      gistmill watch
      gistmill watch nightly
      gistmill watch nightly --interval 30 --json
    """
    return follow(batch, is_live=True, as_json=as_json, interval=interval)


def follow(batch: str | None, *, is_live: bool, as_json: bool = False, interval: float | None = None) -> int:
    """Follow a batch to its end and return the exit code.

    Args:
        batch: name of the batch; the latest by default.
        is_live: display every event; otherwise only the end.
        as_json: print events as lines of JSON; if not live, only the last.
        interval: seconds between two polls.
    """
    with explain_interrupt(batch):
        last = _follow(batch, is_live=is_live, as_json=as_json, interval=interval)
    if not as_json:
        from gistmill.cli.live import print_end

        print_end(last)
    elif not is_live:
        print_json(last)
    return ExitCode.DONE if last.progress.is_complete else ExitCode.INCOMPLETE


@contextmanager
def explain_interrupt(batch: str | None) -> Iterator[None]:
    """Add to an interrupt the message that the jobs continue."""
    try:
        yield
    except KeyboardInterrupt:
        again = f"gistmill watch {quote(batch) if batch else ''}".strip()
        raise KeyboardInterrupt(f"stopped; the work goes on ({again} follows it, gistmill cancel stops it)") from None


def _follow(batch: str | None, *, is_live: bool, as_json: bool, interval: float | None) -> Snapshot:
    from gistmill.cli.live import choose_screen
    from producer.watch import follow_batch

    pause = interval or (LIVE_INTERVAL if sys.stdout.isatty() else PLAIN_INTERVAL)
    with open_client() as client:
        followed = client.batch(batch)
        # Not ``followed.wait``, which keeps outages from its caller: the screen shows them.
        with choose_screen(is_live=is_live, as_json=as_json) as show:
            return follow_batch(followed.poll, show, interval_seconds=pause)
