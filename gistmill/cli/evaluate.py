"""Command ``gistmill evaluate``: request missing checks of a batch, or score it against references by ROUGE."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_engine
from gistmill.cli.options import READABLE_FILE
from gistmill.cli.output import json_option, list_names, print_json, print_table, print_tokenizers
from producer.wording import clean_line, count

if TYPE_CHECKING:
    from models.base import Json
    from models.lookup import Target


@click.command()
@click.argument("name", metavar="BATCH|JOB")
@click.option("--references", type=READABLE_FILE, help="Table of good summaries, of any kind that submit reads.")
@click.option("--id-column", help="Its column that names the documents as the jobs' sources do.")
@click.option("--reference-column", help="Its column that holds the good summaries.")
@json_option
def evaluate(
    name: str, references: Path | None, id_column: str | None, reference_column: str | None, *, as_json: bool
) -> None:
    """Check every summary that has no check, of a batch or one job, or score a batch against references by ROUGE.

    A check measures whether a summary is true to its document and runs on the workers, as with
    submit --check. References are good summaries of the same documents: ROUGE-1, 2 and L are
    computed here, stored for each job, and their means printed with 95 % bootstrap intervals.
    A reference is matched by a job's source, its file's name, or that without the suffix.

    \b
    Examples:
      gistmill evaluate nightly
      gistmill evaluate nightly --references good.csv --id-column name --reference-column summary
    """
    columns = (id_column, reference_column)
    if references is None and any(columns):
        raise click.UsageError("--id-column and --reference-column are of the file that --references names")
    if references is None:
        request_missing_checks(name, as_json=as_json)
    elif id_column is None or reference_column is None:
        raise click.UsageError("--references needs --id-column and --reference-column")
    else:
        _score_references(name, references, id_column, reference_column, as_json=as_json)


def request_missing_checks(name: str, *, as_json: bool) -> None:
    """Request a check of every summary of a batch, or of one job, that has none; print their number."""
    from gistmill.cli.database import open_connection
    from models.checks import find_summarized, find_unchecked
    from models.lookup import find_target
    from producer.checks import request_checks

    with open_connection() as connection:
        with connection.open_session() as session:
            target = find_target(session, name)
            summarized = find_summarized(session, target.batch_id, target.job_id)
            jobs = find_unchecked(session, target.batch_id, target.job_id)
        with connection.open_outbox() as outbox_publisher:
            ordered = request_checks(connection.engine, outbox_publisher, jobs)
    if as_json:
        print_json({"batch": target.batch, "ordered": ordered, "unsent": outbox_publisher.unsent})
    elif ordered:
        click.echo(f"{count(ordered, 'check')} ordered; follow them with: gistmill watch {quote(target.batch)}")
    elif not summarized:
        click.echo(f"{_describe(target)} has no summary to check")
    elif target.job_id is None:
        click.echo(f"every summary of {_describe(target)} is checked or being checked")
    else:
        click.echo(f"the summary of {_describe(target)} is checked or being checked")


def _score_references(batch: str, path: Path, id_column: str, reference_column: str, *, as_json: bool) -> None:
    """Score a batch against references, and print the means and the unmatched names."""
    from sqlalchemy.orm import Session

    from models.lookup import find_batch
    from producer.sources.references import read_references
    from workers.reference_scores import score_references

    references = read_references(
        path,
        id_column=id_column,
        reference_column=reference_column,
        report=lambda problem: click.echo(clean_line(f"gistmill: warning: {problem.message}"), err=True),
    )
    with open_engine() as engine:
        with Session(engine) as session:
            target = find_batch(session, batch)
        found = score_references(engine, target.batch_id, references, origin=path.name)
    scores = {"batch": target.batch, **asdict(found)}
    if as_json:
        print_json(scores)
    else:
        print_scores(scores)


def print_scores(found: Json) -> None:
    """Print mean scores with their intervals, and the unmatched names."""
    click.echo(f"batch {found['batch']}: {count(found['scored'], 'summary', 'summaries')} scored")
    rows = [
        (name, f"{mean['value']:.4f}", f"{mean['low']:.4f} to {mean['high']:.4f}")
        for name, mean in found["means"].items()
    ]
    print_table(("metric", "mean F1", "95 % interval"), rows)
    print_tokenizers(found["tokenizers"])
    for source, reason in found["not_measurable"].items():
        click.echo(clean_line(f"not measurable, {source}: {reason}"))
    left_out = {
        "without a reference": found["jobs_without_reference"],
        "references without a job": found["references_without_job"],
        "left out while they are being checked": found["being_checked"],
    }
    for words, names in left_out.items():
        if names:
            click.echo(f"{words}: {list_names(names)}")


def _describe(target: Target) -> str:
    return f"batch {target.batch}" if target.job_id is None else f"job {target.job_id}"
