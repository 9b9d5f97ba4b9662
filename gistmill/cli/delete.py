"""Command ``gistmill delete``: delete jobs with their documents and everything that was made from them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_client
from gistmill.cli.edge import ExitCode, fail
from gistmill.cli.output import json_option, print_json
from producer.wording import count

if TYPE_CHECKING:
    from models.deletion import DeletionCounts
    from producer.deletion import DeletionRecord


@click.command()
@click.argument("name", metavar="BATCH|JOB", required=False)
@click.option("--document", metavar="SHA", help="Delete all jobs of the document with this SHA-256.")
@click.option("--older-than", metavar="AGE", help="Delete the jobs that ended before, such as 90d or 2026-08-01.")
@click.option("--expired", is_flag=True, help="Delete the jobs that are kept no longer (GISTMILL_RETENTION_DAYS).")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(
    name: str | None,
    document: str | None,
    older_than: str | None,
    *,
    expired: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete a batch, a job, all jobs of a document, or what ended long ago, for good.

    With a job go its summary, sentences, citations, chunks, steps, outputs, metrics and cached
    results, and its document, unless another job needs that. Running steps are stopped. A row
    without any text stays: what was deleted, when and by whom (table deletions).

    \b
    Examples:
      gistmill delete nightly --dry-run
      gistmill delete 3f9a1c2e --yes
      gistmill delete --document 9c1185a5c5e9fc54 --yes
      gistmill delete --older-than 90d --yes
      gistmill delete --expired
    """
    choices = [name, document, older_than, expired or None]
    if sum(choice is not None for choice in choices) != 1:
        raise click.UsageError("give one of BATCH|JOB, --document, --older-than and --expired")
    with open_client() as client:
        if expired:
            if dry_run:
                raise click.UsageError("--expired has no --dry-run; use --older-than with the number of days")
            return _report_expired(client.delete_expired(), as_json=as_json)
        counts = client.preview_deletion(name, document=document, older_than=older_than)
        if dry_run:
            return _report_preview(counts, as_json=as_json)
        if not yes:
            if not sys.stdin.isatty():
                return fail("nothing was deleted; say --yes, or --dry-run to see what would go", ExitCode.USAGE)
            if not _is_confirmed(counts):
                return fail("nothing was deleted", ExitCode.USAGE)
        record = client.delete(name, document=document, older_than=older_than)
    if as_json:
        print_json(record)
    else:
        click.echo(f"{_describe_record(record)} deleted")
    return ExitCode.DONE


def _is_confirmed(counts: DeletionCounts) -> bool:
    click.echo(f"this deletes {_describe_counts(counts)}", err=True)
    return click.confirm("Delete for good?", err=True)


def _report_preview(counts: DeletionCounts, *, as_json: bool) -> int:
    if as_json:
        print_json(counts)
    else:
        click.echo(f"would delete {_describe_counts(counts)}")
    return ExitCode.DONE


def _report_expired(records: list[DeletionRecord], *, as_json: bool) -> int:
    if as_json:
        print_json(records)
    for record in () if as_json else records:
        click.echo(f"{_describe_record(record)} deleted")
    if not records and not as_json:
        click.echo("nothing is kept longer than it should be")
    return ExitCode.DONE


def _describe_counts(counts: DeletionCounts) -> str:
    parts = [count(counts.jobs, "job"), count(counts.steps, "step")]
    parts.append(f"{count(counts.documents, 'document')} of {counts.characters:,} characters")
    words = ", ".join(parts)
    if counts.digests:
        words += f"; {count(counts.digests, 'job')} of them {'is a digest' if counts.digests == 1 else 'are digests'} "
        words += "of the others"
    if counts.open_jobs:
        words += f"; {count(counts.open_jobs, 'job')} not ended"
    if counts.kept_documents:
        stay, them = ("stays", "it") if counts.kept_documents == 1 else ("stay", "them")
        words += f"; {count(counts.kept_documents, 'document')} {stay}, because other jobs need {them}"
    return words


def _describe_record(record: DeletionRecord) -> str:
    parts = (count(record.jobs, "job"), count(record.steps, "step"), count(record.documents, "document"))
    return ", ".join(parts)
