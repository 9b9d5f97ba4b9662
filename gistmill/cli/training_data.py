"""Pairs to train on, read from tables as submission reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from producer.errors import SourceError
from producer.sources.source import SourceProblem
from producer.sources.text_columns import WantedColumn, read_text_columns
from producer.wording import clean_line
from workers.finetuning.errors import DataUnreadableError
from workers.finetuning.pairs import RowReader

# Usual names of the columns, likeliest first.
SOURCE_NAMES = ("article", "text", "document", "source", "content", "body", "input")
TARGET_NAMES = ("highlights", "summary", "abstract", "target", "output", "tldr")
# Rows that are named; a file of another kind can have a million bad ones.
SHOWN_PROBLEMS = 20


def make_row_reader(*, source_column: str | None, target_column: str | None) -> RowReader:
    """Return a reader of tables of pairs.

    Args:
        source_column: column with the texts; None takes a usual name.
        target_column: column with the summaries; None takes a usual name.
    """
    columns = (
        WantedColumn("--source-column", source_column, SOURCE_NAMES),
        WantedColumn("--target-column", target_column, TARGET_NAMES),
    )

    def read_rows(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
        for path in paths:
            try:
                yield from _read_file(path, columns)
            except SourceError as error:
                raise DataUnreadableError(f"{path} {error}") from error

    return read_rows


def _read_file(path: Path, columns: Sequence[WantedColumn]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a file; name the rows that cannot be read."""
    problems = 0
    for row in read_text_columns(path, columns):
        if isinstance(row, SourceProblem):
            problems += 1
            if problems <= SHOWN_PROBLEMS:
                click.echo(clean_line(f"gistmill: warning: {row.message}"), err=True)
        else:
            source, target = row.texts
            yield source, target
    if problems > SHOWN_PROBLEMS:
        click.echo(f"gistmill: warning: {path} has {problems - SHOWN_PROBLEMS:,} more such rows.", err=True)
