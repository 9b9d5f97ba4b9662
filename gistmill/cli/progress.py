"""Progress on stderr: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from producer.sources.source import ReadEvent, Source, SourceNote, SourceProblem
from producer.wording import clean_line, format_seconds

if TYPE_CHECKING:
    from workers.finetuning.progress import TrainingProgress


class ReadingProgress:
    """Progress of reading: a bar on a terminal, with problems and notes as lines.

    Args:
        total: number of documents, if it is known.
        action: what happens to them.
    """

    def __init__(self, *, total: int | None, action: str = "reading and submitting") -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(action),
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
                self._print_line(f"gistmill: warning: {event.message}")
            case SourceNote():
                self._print_line(f"gistmill: note: {event.message}")

    def _print_line(self, line: str) -> None:
        if self._progress.disable:
            click.echo(clean_line(line), err=True)
        else:
            self._progress.console.print(Text(clean_line(line)))


# Seconds between two lines without a terminal.
QUIET_SECONDS = 20.0


class TrainingDisplay:
    """Progress of a fine-tuning run."""

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
        self._printed_at = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show_data(self, data: dict[str, Any]) -> None:
        """Print the counts of training pairs and of rows that were cut or left out."""
        self._print_line(f"{data['pairs']:,} pairs to train on, {data['held_out']:,} held out")
        words = {
            "truncated_sources": "texts are longer than the budget and were cut",
            "dropped_sentences": "sentences of summaries are not borne out by their cut texts and were left out",
            "left_out": "pairs have nothing to say about their cut text and were left out",
            "empty_sources": "rows without a text were left out",
            "empty_targets": "rows without a summary were left out",
            "duplicates": "duplicates were left out",
        }
        for name, what in words.items():
            if data[name]:
                self._print_line(f"{data[name]:,} {what}")

    def show_claims(self, data: dict[str, Any]) -> None:
        """Print the counts of claims to train on, and of what was left out."""
        self._print_line(
            f"{data['claims']:,} claims on {data['texts']:,} texts to train on, "
            f"{data['held_out_claims']:,} on {data['held_out']:,} texts held out"
        )
        for reason, count in data["skipped"].items():
            self._print_line(f"{count:,} {reason} were left out")

    def show(self, progress: TrainingProgress) -> None:
        """Show the progress: update the bar, or print a line if one is due."""
        line = describe_progress(progress)
        if not self._bar.disable:
            self._bar.update(self._task, description=line, completed=progress.step, total=progress.steps or None)
        elif self._is_due(progress):
            self._printed_at = time.monotonic()
            self._print_line(line)

    def _print_line(self, line: str) -> None:
        if self._bar.disable:
            click.echo(line, err=True)
        else:
            self._bar.console.print(line, highlight=False)

    def _is_due(self, progress: TrainingProgress) -> bool:
        is_milestone = progress.held_out_loss is not None or progress.step in {1, progress.steps}
        return is_milestone or time.monotonic() - self._printed_at > QUIET_SECONDS


def describe_progress(progress: TrainingProgress) -> str:
    """Return the progress of a run as one line."""
    if progress.held_out_loss is not None:
        return f"held-out loss {progress.held_out_loss:.4f} after step {progress.step}"
    parts = [f"step {progress.step:,} of {progress.steps:,}"]
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4f}")
    if progress.seconds_left is not None and progress.step < progress.steps:
        parts.append(f"about {format_seconds(progress.seconds_left)} left")
    return ", ".join(parts)
