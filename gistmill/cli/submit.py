"""Command ``gistmill submit``: submit documents as jobs."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.database import open_client
from gistmill.cli.edge import ExitCode
from gistmill.cli.options import COUNT, JOB_SECTIONS, READING_SECTION, add_job_options
from gistmill.cli.output import json_option, print_json, print_table
from gistmill.cli.sections import SectionedCommand
from gistmill.cli.watch import explain_interrupt, follow
from producer.wording import count

if TYPE_CHECKING:
    from gistmill.batch_record import BatchRecord
    from producer.options import PriorityName
    from producer.submit import SubmissionResult

SECTIONS = {
    "Batch": ("name", "priority", "keep_days", "webhook", "wait", "watch", "dry_run", "as_json"),
    **READING_SECTION,
    **JOB_SECTIONS,
}


@click.command(cls=SectionedCommand, sections=SECTIONS)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--limit", type=COUNT, help="Submit this many documents at most.")
@click.option("--ocr", is_flag=True, help="Recognize the text of pictures and scanned pages; needs the extra `ocr`.")
@add_job_options
@click.option("--priority", type=click.Choice(("low", "normal", "high")), default="normal", show_default=True)
@click.option("--batch", "name", help="Name of the batch.  [default: made from PATH and the options]")
@click.option("--keep-days", type=COUNT, help="Delete each job so many days after its end.  [default: the cluster's]")
@click.option("--webhook", metavar="URL", help="Have `gistmill serve` call this address when the batch has ended.")
@click.option("--strict", is_flag=True, help="Submit nothing if anything cannot be read.")
@click.option("--wait", is_flag=True, help="Return when all jobs have ended and are checked.")
@click.option("--watch", is_flag=True, help="Follow the jobs until all have ended.")
@click.option("--dry-run", is_flag=True, help="Read everything and say what would be submitted.")
@json_option
def submit(
    paths: tuple[str, ...],
    text_column: str | None,
    id_column: str | None,
    limit: int | None,
    priority: PriorityName,
    name: str | None,
    keep_days: int | None,
    webhook: str | None,
    *,
    ocr: bool,
    strict: bool,
    wait: bool,
    watch: bool,
    dry_run: bool,
    as_json: bool,
    **summarizing: Any,
) -> int:
    """Put documents on the queue: files, folders, globs, tables, URLs, or - for stdin.

    Files are text, Markdown, HTML, PDF, DOCX, PPTX, EPUB, mail, notebooks, subtitles and
    reStructuredText; each row of a CSV, TSV, JSON, JSONL, XLSX or Parquet file is a document.

    The same documents with the same options are the same jobs: submit again to complete an
    interrupted submission. Exit code 2 if nothing could be submitted; 3 if some sources could not be
    read, or if --wait or --watch saw jobs end without a whole summary, or with one that needs review.

    A check comes after the summary, which can be read meanwhile. What it measures, and what it is
    worth: docs/quality.md.

    \b
    Examples:
      gistmill submit report.html notes.md
      gistmill submit articles/ --strategy map-reduce --wait
      gistmill submit posts.csv --text-column writeup --id-column link --limit 3
      gistmill submit paper.md --style news --language German --greedy
      gistmill submit articles/ --batch nightly --priority low --json
      gistmill submit notes.md --check --wait
      gistmill submit articles/ --batch gated --gate 0.2 --strategy stuff
      gistmill submit 'articles/*.md' --dry-run
    """
    # Longer than 50 lines for its options and its help; the work is in the functions that it calls.
    from gistmill.cli.progress import ReadingProgress
    from producer.submit import NothingSubmittedError

    options = {"text_column": text_column, "id_column": id_column, "limit": limit, "ocr": ocr, **summarizing}
    if dry_run:
        return _print_dry_run(paths, options, name, as_json=as_json)
    try:
        with open_client() as client, ReadingProgress(total=limit) as progress:
            batch = client.submit(
                paths,
                name=name,
                on_read=progress.report,
                priority=priority,
                strict=strict,
                keep_days=keep_days,
                webhook=webhook,
                **options,
            )
    except NothingSubmittedError as error:
        return _print_nothing(error.result, as_json=as_json)
    with explain_interrupt(batch.name):
        must_follow = wait or watch
        if not (must_follow and as_json):
            _print_outcome(batch, as_json=as_json, is_followed=must_follow)
        ended = follow(batch.name, is_live=watch, as_json=as_json) if must_follow else ExitCode.DONE
    return _judge(batch) or ended


def _judge(batch: BatchRecord) -> int:
    """Return the exit code of a submission: 3 if something could not be read, 2 if nothing could."""
    if not (batch.new or batch.existing):
        return ExitCode.USAGE
    return ExitCode.INCOMPLETE if batch.problems else ExitCode.DONE


def _print_dry_run(paths: tuple[str, ...], options: dict[str, Any], name: str | None, *, as_json: bool) -> int:
    """Read all sources and print the jobs that a submission would create."""
    from gistmill.batch_record import BatchRecord
    from gistmill.cli.progress import ReadingProgress
    from producer.preparation import prepare_submission
    from producer.sources.source import Source
    from producer.submit import SubmissionResult

    preparation = prepare_submission(paths, options, name=name)
    result, rows = SubmissionResult(batch=preparation.request.batch), []
    with ReadingProgress(total=options["limit"]) as progress:
        for event in preparation.reading.read():
            result.add(event)
            progress.report(event)
            if isinstance(event, Source):
                result.created += 1
                rows.append((event.name, event.format, len(event.text), event.title))
    batch = BatchRecord.make(result)
    columns = ("source", "format", "characters", "title")
    if as_json:
        documents = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json({"batch": batch.name, "documents": documents, **_describe_drops(batch)})
    else:
        print_table(columns, rows, flexible={"source": 24, "title": 16})
        click.echo(f"\n{count(len(rows), 'job')} would go into batch {batch.name}; nothing was submitted")
        _print_drops(batch)
    return _judge(batch)


def _print_nothing(result: SubmissionResult, *, as_json: bool) -> int:
    """Print that nothing was submitted, and return the exit code."""
    from gistmill.batch_record import BatchRecord

    batch = BatchRecord.make(result)
    _print_outcome(batch, as_json=as_json)
    return _judge(batch)


def _print_outcome(batch: BatchRecord, *, as_json: bool, is_followed: bool = False) -> None:
    if as_json:
        counts = {"new": batch.new, "existing": batch.existing, "unsent": batch.unsent}
        print_json({"batch": batch.name, "batch_id": batch.id, **counts, **_describe_drops(batch)})
        return
    if batch.new:
        already = f", {batch.existing} already there" if batch.existing else ""
        click.echo(f"batch {batch.name}: {count(batch.new, 'job')} submitted{already}")
    elif batch.existing:
        click.echo(f"batch {batch.name}: {count(batch.existing, 'job')} already there, nothing new")
    else:
        click.echo("nothing was submitted")
    _print_drops(batch)
    if (batch.new or batch.existing) and not is_followed:
        click.echo(f"follow it with: gistmill watch {quote(batch.name)}")


def _print_drops(batch: BatchRecord) -> None:
    if batch.duplicates:
        click.echo(f"{count(len(batch.duplicates), 'duplicate')} dropped")
    if batch.problems:
        click.echo(f"{count(len(batch.problems), 'source')} could not be read (see above)")


def _describe_drops(batch: BatchRecord) -> dict[str, object]:
    return {"duplicates": len(batch.duplicates), "problems": batch.problems}
