"""Display of a watched batch: a live screen on a terminal, a line per change elsewhere, or JSON lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import datetime
from shlex import quote

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gistmill.cli.output import STATE_COLOURS
from gistmill.cli.status import STEP_COLUMNS, describe_checks, describe_states, print_failures
from models.views import BatchProgress
from producer.plain import dump_json
from producer.status import Snapshot
from producer.watch import Outage, WatchEvent
from producer.wording import clean_line, describe_verdicts, format_seconds

# Seconds without a change after which a line is printed nevertheless.
QUIET_SECONDS = 60
# Seconds between two lines of a command that waits and shows the end alone.
WAITING_SECONDS = 15

Show = Callable[[WatchEvent], None]


@contextmanager
def choose_screen(*, is_live: bool, as_json: bool) -> Iterator[Show]:
    """Yield the function that displays the events of a batch."""
    if not is_live and sys.stderr.isatty():
        with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
            yield lambda event: live.update(Text(describe_event(event), style="dim"))
    elif not is_live:
        yield _WaitingPrinter().show
    elif as_json:
        yield _print_json_line
    elif sys.stdout.isatty():
        with Live(refresh_per_second=4) as live:
            yield lambda event: live.update(render_event(event))
    else:
        yield _LinePrinter().show


def print_end(snapshot: Snapshot) -> None:
    """Print the final states of a batch, its time, and the verdicts on sentences."""
    progress = snapshot.progress
    took = f" in {format_seconds(snapshot.seconds)}" if snapshot.seconds is not None else ""
    review = f", {progress.need_review:,} need review" if progress.need_review else ""
    verdicts = describe_verdicts(progress.verified, progress.quoted, progress.flagged)
    ended = f"{describe_states(progress)}{review}{took}" + (f": {verdicts}" if verdicts else "")
    click.echo(f"batch {progress.batch} has ended: {ended}")
    print_failures(snapshot)
    click.echo(f"read the summaries with: gistmill results {quote(progress.batch)}")


def describe_event(event: WatchEvent) -> str:
    """Return an event as one line."""
    if isinstance(event, Outage):
        return f"the results database is away ({clean_line(event.reason)}); waiting for it"
    progress = event.progress
    ended = progress.jobs - progress.open_jobs
    parts = [f"{ended:,} of {progress.jobs:,} jobs", f"{progress.steps_done:,} of {progress.steps:,} steps"]
    if event.tokens_per_second is not None:
        parts.append(f"{event.tokens_per_second:.1f} tokens/s")
    if event.seconds_left is not None and not progress.is_over:
        parts.append(f"about {format_seconds(event.seconds_left)} left")
    counts = {state: getattr(progress, state) for state in ("partial", "failed", "cancelled")}
    parts.extend(f"{number:,} {state}" for state, number in counts.items() if number)
    if checks := describe_checks(progress):
        parts.append(f"checks: {checks}")
    if verdicts := describe_verdicts(progress.verified, progress.quoted, progress.flagged):
        parts.append(verdicts)
    if not event.workers and not progress.is_over:
        parts.append("no worker is running")
    elif event.unserved:
        parts.append(f"no worker serves {' or '.join(event.unserved)}")
    return ", ".join(parts)


def render_event(event: WatchEvent) -> Group | Text:
    """Return an event as a screen."""
    if isinstance(event, Outage):
        return Text(describe_event(event), style="yellow")
    progress = event.progress
    return Group(
        Text(f"batch {progress.batch}", style="bold"),
        _render_bar(progress),
        Text(describe_event(event)),
        _render_steps(event),
        *(_render_failure(job.source, job.state, job.words) for job in event.failures),
        *(Text(f"{load.node}  {load.device}  {load.running} running", style="dim") for load in event.workers),
        Text("Ctrl-C ends the watching, not the work", style="dim"),
    )


def _render_bar(progress: BatchProgress) -> Table:
    # In a table, because a bar alone has no line break.
    grid = Table.grid()
    grid.add_row(ProgressBar(total=progress.jobs, completed=progress.jobs - progress.open_jobs, width=60))
    return grid


def _render_steps(snapshot: Snapshot) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in STEP_COLUMNS:
        table.add_column(name, justify="left" if name in {"strategy", "step"} else "right")
    for step_count in snapshot.steps:
        strategy, kind, *counts = astuple(step_count)
        table.add_row(strategy, kind, *(f"{number:,}" if number else "" for number in counts))
    return table


def _render_failure(source: str, state: str, words: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{state} ", style=STATE_COLOURS[state])
    line.append(clean_line(f"{source}: {words}"))
    return line


def _print_json_line(event: WatchEvent) -> None:
    value = {"outage": event.reason} if isinstance(event, Outage) else event
    click.echo(dump_json(value))


class _LinePrinter:
    """Prints a line per change of the progress, and one a minute without changes."""

    def __init__(self) -> None:
        self._last: object = None
        self._printed_at = 0.0

    def show(self, event: WatchEvent) -> None:
        seen = event.progress if isinstance(event, Snapshot) else event
        if seen != self._last or time.monotonic() - self._printed_at > QUIET_SECONDS:
            click.echo(f"{datetime.now().astimezone():%H:%M:%S}  {describe_event(event)}")
            self._last, self._printed_at = seen, time.monotonic()


class _WaitingPrinter:
    """Prints a line on stderr now and then, so that a command which waits for minutes is not silent."""

    def __init__(self) -> None:
        self._printed_at = time.monotonic()

    def show(self, event: WatchEvent) -> None:
        if time.monotonic() - self._printed_at > WAITING_SECONDS:
            click.echo(f"{datetime.now().astimezone():%H:%M:%S}  {describe_event(event)}", err=True)
            self._printed_at = time.monotonic()
