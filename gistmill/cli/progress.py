"""Progress on stderr: a bar on a terminal, elsewhere a line when there is something to say."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from gistmill.cli.output import clean_line
from producer.sources.source import ReadEvent, Source, SourceNote, SourceProblem
from producer.wording import format_seconds

if TYPE_CHECKING:
    from workers.finetuning.progress import TrainingProgress


class ReadingProgress:
    """Counts documents on stderr while a block lasts; elsewhere than on a terminal only problems and notes appear."""

    def __init__(self, *, total: int | None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("reading and submitting"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("documents"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def report(self, event: ReadEvent) -> None:
        """Show one event."""
        match event:
            case Source():
                self._progress.advance(self._task)
            case SourceProblem():
                self._say(f"gistmill: warning: {event.message}")
            case SourceNote():
                self._say(f"gistmill: note: {event.message}")

    def _say(self, line: str) -> None:
        if self._progress.disable:
            click.echo(clean_line(line), err=True)
        else:
            self._progress.console.print(Text(clean_line(line)))


# Seconds between two lines where there is no terminal.
QUIET_SECONDS = 20.0


class TrainingDisplay:
    """Shows a run on stderr while a block lasts."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("measuring the base", total=None)
        self._said_at = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show_data(self, data: dict[str, Any]) -> None:
        """Say, before training starts, what it trains on and what became of the other rows."""
        self._say(f"{data['pairs']:,} pairs to train on, {data['held_out']:,} held out")
        words = {
            "truncated_sources": "texts are longer than the budget and were cut",
            "empty_sources": "rows without a text were left out",
            "empty_targets": "rows without a summary were left out",
            "duplicates": "duplicates were left out",
        }
        for name, what in words.items():
            if data[name]:
                self._say(f"{data[name]:,} {what}")

    def show(self, news: TrainingProgress) -> None:
        """Show one piece of news."""
        line = describe_news(news)
        if not self._bar.disable:
            self._bar.update(self._task, description=line, completed=news.step, total=news.steps or None)
        elif self._is_due(news):
            self._said_at = time.monotonic()
            self._say(line)

    def _say(self, line: str) -> None:
        if self._bar.disable:
            click.echo(line, err=True)
        else:
            self._bar.console.print(line, highlight=False)

    def _is_due(self, news: TrainingProgress) -> bool:
        is_worth_it = news.held_out_loss is not None or news.step in {1, news.steps}
        return is_worth_it or time.monotonic() - self._said_at > QUIET_SECONDS


def describe_news(news: TrainingProgress) -> str:
    """Return a piece of news as one line."""
    if news.held_out_loss is not None:
        return f"held-out loss {news.held_out_loss:.4f} after step {news.step}"
    parts = [f"step {news.step:,} of {news.steps:,}"]
    if news.loss is not None:
        parts.append(f"loss {news.loss:.4f}")
    if news.seconds_left is not None and news.step < news.steps:
        parts.append(f"about {format_seconds(news.seconds_left)} left")
    return ", ".join(parts)
