"""Command ``gistmill results``: list jobs and their summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gistmill.cli.database import open_client
from gistmill.cli.options import add_filters
from gistmill.cli.output import json_option, print_json_array, print_table
from producer.wording import clean_line, describe_weights, format_seconds

# Characters of a summary in a table.
BEGINNING = 100
COLUMNS = (
    "batch",
    "job",
    "source",
    "state",
    "strategy",
    "weights",
    "took",
    "consistency",
    "verified",
    "quoted",
    "flagged",
    "review",
    "summary",
)
# On a narrow terminal: columns that are cut, with the width that each keeps, and columns that give way.
FLEXIBLE = {"batch": 18, "source": 18, "weights": 18, "summary": 18}
# These have a column only where rows differ in them.
SHARED = ("batch", "weights")
DROPPABLE = ("weights", "strategy", "took", "verified", "consistency", "quoted", "batch", "flagged", "review")


@click.command()
@click.argument("name", metavar="[BATCH|JOB]", required=False)
@add_filters
@json_option
def results(name: str | None, *, as_json: bool, **given: Any) -> None:
    """List jobs with the beginnings of their summaries; --json prints them whole.

    The latest batch comes first, and each batch is in the order of its input; the
    names of several batches stand in the first column.

    "verified", "quoted" and "flagged" are numbers of sentences of the summary.

    \b
    Examples:
      gistmill results nightly
      gistmill results nightly --status failed --status partial
      gistmill results --since 12h --weights default --limit 20
      gistmill results nightly --needs-review
      gistmill results nightly --flagged
      gistmill results nightly --json
    """
    with open_client() as client:
        jobs = (summary.job for summary in client.summaries(name, **given))
        if as_json:
            print_json_array(jobs)
            return
        rows = [
            [
                job.batch,
                str(job.job_id)[:8],
                job.source,
                job.state,
                job.strategy,
                (job.weights, job.served_weights),
                format_seconds(job.seconds),
                "" if job.consistency is None else f"{job.consistency:.3f}",
                job.verified,
                job.quoted,
                job.flagged,
                "needs review" if job.needs_review else "",
                _shorten(job.summary or job.reason or ""),
            ]
            for job in jobs
        ]
    _describe_weights(rows)
    if rows:
        _print_rows(rows)
    else:
        click.echo("no job matches")


def _describe_weights(rows: Sequence[list[Any]]) -> None:
    """Replace names of weights with what served them by words.

    A job without a call has no such words; it gets those of the others with its name, if they agree.
    """
    place = COLUMNS.index("weights")
    served = {row[place] for row in rows if row[place][1]}
    names = [name for name, _ in served]
    alone = {name: what for name, what in served if names.count(name) == 1}
    for row in rows:
        name, what = row[place]
        row[place] = describe_weights(name, what or alone.get(name))


def _print_rows(rows: Sequence[Sequence[object]]) -> None:
    """Print jobs as a table without a column of a batch or weights that all share; the weights stand below it."""
    shared = {name: values.pop() for name in SHARED if len(values := {row[COLUMNS.index(name)] for row in rows}) == 1}
    places = [place for place, name in enumerate(COLUMNS) if name not in shared]
    print_table(
        [COLUMNS[place] for place in places],
        [[row[place] for place in places] for row in rows],
        flexible=FLEXIBLE,
        droppable=[name for name in DROPPABLE if name not in shared],
    )
    if only := shared.get("weights"):
        click.echo(f"weights of all: {only}")


def _shorten(text: str) -> str:
    line = clean_line(text)
    return line if len(line) <= BEGINNING else line[: BEGINNING - 1] + "…"
