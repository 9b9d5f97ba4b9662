"""``gistmill watch``: follow a batch until it ends."""

from __future__ import annotations

import sys

import click

from producer.cli.database import open_engine
from producer.cli.front import ExitCode
from producer.cli.terminal import json_option

# Seconds between two looks: a person sees it move, and Postgres does not notice.
LIVE_INTERVAL = 1.0
PLAIN_INTERVAL = 5.0


@click.command()
@click.argument("batch", required=False)
@click.option("--interval", type=click.FloatRange(min=0.1), help="Seconds between two looks.  [default: 1, plain 5]")
@json_option
def watch(batch: str | None, interval: float | None, *, as_json: bool) -> int:
    """Follow a batch, the latest one by default, until all its jobs have ended.

    Ctrl-C ends the watching, not the work. A restart of the servers is waited for. Exit code 3 if
    some jobs did not succeed. With --json every look is one line.

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
        batch: its name; the latest by default.
        is_live: False to say nothing until the end.
        as_json: print each look as a line of JSON; if not live, only the last.
        interval: seconds between two looks.
    """
    from sqlalchemy.orm import Session

    from models.reading import find_batch
    from producer.cli.looks import choose_screen, print_end
    from producer.watch import follow_batch

    with open_engine() as engine:
        with Session(engine) as session:
            target = find_batch(session, batch)
        pause = interval or (LIVE_INTERVAL if sys.stdout.isatty() else PLAIN_INTERVAL)
        try:
            with choose_screen(is_live=is_live, as_json=as_json) as show:
                last = follow_batch(engine, target.batch_id, show, interval_seconds=pause)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped watching; the work goes on (gistmill watch {target.batch} follows it again, "
                f"gistmill cancel {target.batch} stops it)"
            ) from None
    print_end(last, as_json=as_json and not is_live)
    return ExitCode.DONE if last.progress.is_complete else ExitCode.INCOMPLETE
