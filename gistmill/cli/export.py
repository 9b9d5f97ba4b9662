"""Command ``gistmill export``: write summaries to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from gistmill.cli.database import open_client, open_session
from gistmill.cli.options import add_filters
from gistmill.cli.output import write_whole
from producer.wording import EXPORT_FORMATS, count

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".md": "markdown"}


@click.command()
@click.argument("name", metavar="[BATCH|JOB]", required=False)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File.  [default: stdout]")
@click.option("--format", "form", type=click.Choice(EXPORT_FORMATS), help="[default: by the file's suffix, else csv]")
@click.option("--columns", metavar="NAME,...", help="Columns to write, of the job and of its document, in this order.")
@add_filters
def export(name: str | None, output: Path | None, form: str | None, columns: str | None, **given: Any) -> None:
    """Write jobs with their summaries as CSV, JSONL, Parquet or Markdown.

    All have the numbers of sentences verified, quoted and flagged; JSONL and Parquet have each
    sentence with its citations, and Markdown has them below the summary.

    --columns also takes the other columns of the table that a document came from, and "notes" on
    what was not read of it; details.NAME is such a column with the name of one of the job's. JSONL
    has all of them in "details" and "notes".

    Cells of CSV that a spreadsheet would run as formulas get an apostrophe in front.

    \b
    Examples:
      gistmill export nightly --output summaries.csv
      gistmill export nightly --status succeeded --output summaries.parquet
      gistmill export nightly --columns source,author,summary --output summaries.csv
      gistmill export --since 3d --format jsonl
      gistmill export 3f9a1c2e --format markdown
    """
    from producer.export import WRITERS
    from producer.export_columns import check_columns, split_columns

    form = form or find_format(output)
    chosen = None if columns is None else split_columns(columns)
    with open_client() as client, _open_output(output, form) as file:
        summaries = client.summaries(name, **given)
        with open_session() as session:
            check_columns(session, summaries.wanted, chosen or ())
        number = WRITERS[form](summaries, file, chosen)
    if output is not None:
        click.echo(f"{count(number, 'job')} in {output}", err=True)


def find_format(output: Path | None) -> str:
    """Return the format for a file's suffix.

    Raises:
        UsageError: no format has this suffix.
    """
    if output is None:
        return "csv"
    if output.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"{output} has no known suffix ({', '.join(SUFFIXES)}); say the --format")
    return SUFFIXES[output.suffix.lower()]


@contextmanager
def _open_output(output: Path | None, form: str) -> Iterator[BinaryIO]:
    """Open stdout, or a file that is renamed into place once complete."""
    if output is not None:
        with write_whole(output) as file:
            yield file
        return
    if form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is binary; give an --output file")
    yield sys.stdout.buffer
