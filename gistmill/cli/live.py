"""How each look at a batch is shown: a live screen on a terminal, a line per change elsewhere, or JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import datetime

import click
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gistmill.cli.output import STATE_COLOURS, clean_line
from gistmill.cli.status import STEP_COLUMNS, describe_checks, describe_states, print_failures
from models.views import BatchProgress
from producer.plain import dump_json
from producer.status import Snapshot
from producer.watch import Outage, WatchEvent
from producer.wording import format_seconds

# Seconds without news after which a line is printed all the same.
QUIET_SECONDS = 60

Show = Callable[[WatchEvent], None]


@contextmanager
def choose_screen(*, is_live: bool, as_json: bool) -> Iterator[Show]:
    """Give the function that shows a look, for as long as a batch is followed."""
    if not is_live:
        yield lambda _: None
    elif as_json:
        yield _print_json_line
    elif sys.stdout.isatty():
        with Live(refresh_per_second=4) as live:
            yield lambda look: live.update(render_event(look))
    else:
        yield _Lines().show


def print_end(snapshot: Snapshot) -> None:
    """Print how a batch ended."""
    progress = snapshot.progress
    times = (progress.started_at, progress.finished_at)
    took = f" in {format_seconds((times[1] - times[0]).total_seconds())}" if times[0] and times[1] else ""
    review = f", {progress.need_review:,} need review" if progress.need_review else ""
    click.echo(f"batch {progress.batch} has ended: {describe_states(progress)}{review}{took}")
    print_failures(snapshot)
    click.echo(f"read the summaries with: gistmill results {progress.batch}")


def describe_event(look: WatchEvent) -> str:
    """Return a look as one line."""
    if isinstance(look, Outage):
        return f"the results database is away ({clean_line(look.reason)}); waiting for it"
    progress = look.progress
    ended = progress.jobs - progress.open_jobs
    parts = [f"{ended:,} of {progress.jobs:,} jobs", f"{progress.steps_done:,} of {progress.steps:,} steps"]
    if look.tokens_per_second is not None:
        parts.append(f"{look.tokens_per_second:.1f} tokens/s")
    if look.seconds_left is not None and not progress.is_over:
        parts.append(f"about {format_seconds(look.seconds_left)} left")
    counts = {state: getattr(progress, state) for state in ("partial", "failed", "cancelled")}
    parts.extend(f"{number:,} {state}" for state, number in counts.items() if number)
    if checks := describe_checks(progress):
        parts.append(f"checks: {checks}")
    if not look.workers and not progress.is_over:
        parts.append("no worker is running")
    elif look.unserved:
        parts.append(f"no worker serves {' or '.join(look.unserved)}")
    return ", ".join(parts)


def render_event(look: WatchEvent) -> Group | Text:
    """Return a look as a screen."""
    if isinstance(look, Outage):
        return Text(describe_event(look), style="yellow")
    progress = look.progress
    return Group(
        Text(f"batch {progress.batch}", style="bold"),
        _render_bar(progress),
        Text(describe_event(look)),
        _render_steps(look),
        *(_render_failure(job.source, job.state, job.words) for job in look.failures),
        *(Text(f"{each.node}  {each.device}  {each.running} running", style="dim") for each in look.workers),
        Text("Ctrl-C ends the watching, not the work", style="dim"),
    )


def _render_bar(progress: BatchProgress) -> Table:
    # A bar ends without a line break; the row of a table has one.
    grid = Table.grid()
    grid.add_row(ProgressBar(total=progress.jobs, completed=progress.jobs - progress.open_jobs, width=60))
    return grid


def _render_steps(look: Snapshot) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in STEP_COLUMNS:
        table.add_column(name, justify="left" if name in {"strategy", "step"} else "right")
    for each in look.steps:
        strategy, kind, *counts = astuple(each)
        table.add_row(strategy, kind, *(f"{number:,}" if number else "" for number in counts))
    return table


def _render_failure(source: str, state: str, words: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{state} ", style=STATE_COLOURS[state])
    line.append(clean_line(f"{source}: {words}"))
    return line


def _print_json_line(look: WatchEvent) -> None:
    value = {"outage": look.reason} if isinstance(look, Outage) else look
    click.echo(dump_json(value))


class _Lines:
    """Prints a line when steps have ended or something is wrong, and now and then to show that it is alive."""

    def __init__(self) -> None:
        self._last: object = None
        self._printed_at = 0.0

    def show(self, look: WatchEvent) -> None:
        seen = look.progress if isinstance(look, Snapshot) else look
        if seen != self._last or time.monotonic() - self._printed_at > QUIET_SECONDS:
            click.echo(f"{datetime.now().astimezone():%H:%M:%S}  {describe_event(look)}")
            self._last, self._printed_at = seen, time.monotonic()
