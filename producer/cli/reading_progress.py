"""What reading says while it goes on: a bar on a terminal, and every problem at once."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from producer.cli.terminal import clean_line
from producer.sources.source import ReadEvent, Source, SourceNote, SourceProblem


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
