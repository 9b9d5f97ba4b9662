"""Command ``gistmill submit``: submit documents as jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.edge import ExitCode
from gistmill.cli.options import COUNT, add_job_options, build_job_options
from gistmill.cli.output import json_option, print_json, print_table, warn_unsent, warn_unserved
from gistmill.cli.watch import explain_interrupt, follow
from producer.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gistmill.cli.progress import ReadingProgress
    from producer.intake import SubmissionRequest
    from producer.sources.source import ReadEvent
    from producer.submit import Submission, SubmissionResult


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Arguments of ``read_sources``."""

    paths: tuple[str, ...]
    text_column: str | None
    id_column: str | None
    limit: int | None
    ocr: bool = False

    def read(self) -> Iterator[ReadEvent]:
        """Start reading."""
        from producer.sources.limits import RECOGNITION_LIMITS, ReadLimits
        from producer.sources.reading import read_sources

        limits = RECOGNITION_LIMITS if self.ocr else ReadLimits()
        columns = {"text_column": self.text_column, "id_column": self.id_column}
        return read_sources(self.paths, **columns, limit=self.limit, limits=limits)


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--limit", type=COUNT, help="Submit this many documents at most.")
@click.option("--ocr", is_flag=True, help="Recognize the text of pictures and scanned pages; needs gistmill[ocr].")
@add_job_options
@click.option("--priority", type=click.Choice(("low", "normal", "high")), default="normal", show_default=True)
@click.option("--batch", "name", help="Name of the batch.  [default: made from PATH and the options]")
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
    priority: str,
    name: str | None,
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
    interrupted submission. Exit code 2 if nothing could be submitted, 1 or 2 if some sources could
    not be read, 3 if --wait or --watch saw jobs end without a whole summary, or with one that needs
    review.

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
    reading = ReadOptions(paths, text_column, id_column, limit, ocr)
    request = make_request(reading, name, priority, summarizing)
    if dry_run:
        return _print_dry_run(reading, request, as_json=as_json)
    result = _send(reading, request, is_strict=strict)
    warn_unsent(result.unsent)
    if not result.accepted:
        _print_outcome(request, result, as_json=as_json)
        return judge_result(result)
    with explain_interrupt(request.batch):
        warn_unserved(request.options.weights)
        must_follow = wait or watch
        if not (must_follow and as_json):
            _print_outcome(request, result, as_json=as_json)
        ended = follow(request.batch, is_live=watch, as_json=as_json) if must_follow else ExitCode.DONE
    return judge_result(result) or ended


def make_request(
    reading: ReadOptions, name: str | None, priority: str, summarizing: dict[str, Any]
) -> SubmissionRequest:
    """Return the submission request for the options of the command line."""
    from models.job import Priority
    from producer.intake import SubmissionRequest, name_batch
    from producer.sources.characters import compose

    if name is not None and not name.strip():
        raise click.UsageError("--batch needs a name that is not blank")
    options = build_job_options(summarizing)
    rows = {"text_column": reading.text_column, "id_column": reading.id_column, "limit": reading.limit}
    rows |= {"ocr": True} if reading.ocr else {}
    asked = {"paths": list(reading.paths)} | {
        option: value if isinstance(value, bool | int | float) else str(value)
        for option, value in (rows | summarizing).items()
        if value is not None
    }
    return SubmissionRequest(
        batch=compose(name) if name else name_batch(reading.paths, rows | options.model_dump(mode="json")),
        options=options,
        priority=Priority[priority.upper()],
        asked=asked,
    )


def judge_result(result: SubmissionResult) -> int:
    """Return the exit code of a submission: the highest of its problems', 2 if nothing was accepted."""
    if not result.accepted:
        return ExitCode.USAGE
    return max((problem.exit_code for problem in result.problems), default=ExitCode.DONE)


def _send(reading: ReadOptions, request: SubmissionRequest, *, is_strict: bool) -> SubmissionResult:
    from gistmill.cli.database import open_engine
    from gistmill.cli.progress import ReadingProgress
    from models.errors import UnreachableError
    from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
    from models.settings import read_settings
    from producer.submit import Submission, SubmissionResult

    publisher = CeleryPublisher(make_celery(read_settings().require_broker_url()))
    result = SubmissionResult()
    try:
        with open_engine() as engine, ReadingProgress(total=reading.limit) as progress:
            submission = Submission(engine, OutboxPublisher(engine, publisher), request, result)
            if is_strict:
                _submit_all_or_nothing(submission, reading, progress)
            else:
                submission.run(reading.read(), report=progress.report)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {_describe_unfinished(request, result)}") from None
    except UnreachableError as error:
        raise UnreachableError(f"{error}; {_describe_unfinished(request, result)}") from error
    return result


def _submit_all_or_nothing(submission: Submission, reading: ReadOptions, progress: ReadingProgress) -> None:
    from producer.errors import SubmissionError
    from producer.sources.source import spool_events

    with spool_events(reading.read(), report=progress.report) as (events, problems):
        if problems:
            raise SubmissionError(f"nothing was submitted: {count(problems, 'source')} cannot be read (--strict)")
        submission.run(events)


def _print_dry_run(reading: ReadOptions, request: SubmissionRequest, *, as_json: bool) -> int:
    """Read all sources and print the jobs that a submission would create."""
    from gistmill.cli.progress import ReadingProgress
    from producer.sources.source import Source
    from producer.submit import SubmissionResult

    result, rows = SubmissionResult(), []
    with ReadingProgress(total=reading.limit) as progress:
        for event in reading.read():
            result.count(event)
            progress.report(event)
            if isinstance(event, Source):
                result.created += 1
                rows.append((event.name, event.format, len(event.text), event.title))
    columns = ("source", "format", "characters", "title")
    if as_json:
        documents = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json({"batch": request.batch, "documents": documents, **_describe_drops(result)})
    else:
        print_table(columns, rows)
        click.echo(f"\n{count(len(rows), 'job')} would go into batch {request.batch}; nothing was submitted")
        _print_drops(result)
    return judge_result(result)


def _print_outcome(request: SubmissionRequest, result: SubmissionResult, *, as_json: bool) -> None:
    if as_json:
        counts = {"new": result.created, "existing": result.existing, "unsent": result.unsent}
        print_json({"batch": request.batch, "batch_id": request.batch_id, **counts, **_describe_drops(result)})
        return
    if result.created:
        already = f", {result.existing} already there" if result.existing else ""
        click.echo(f"batch {request.batch}: {count(result.created, 'job')} submitted{already}")
    elif result.existing:
        click.echo(f"batch {request.batch}: {count(result.existing, 'job')} already there, nothing new")
    else:
        click.echo("nothing was submitted")
    _print_drops(result)
    if result.accepted:
        click.echo(f"follow it with: gistmill watch {request.batch}")


def _print_drops(result: SubmissionResult) -> None:
    if result.duplicates:
        click.echo(f"{count(result.duplicates, 'duplicate')} dropped")
    if result.problems:
        click.echo(f"{count(len(result.problems), 'source')} could not be read (see above)")


def _describe_drops(result: SubmissionResult) -> dict[str, object]:
    return {"duplicates": result.duplicates, "problems": result.problems}


def _describe_unfinished(request: SubmissionRequest, result: SubmissionResult) -> str:
    if not result.accepted:
        return "nothing was submitted yet"
    return (
        f"{count(result.accepted, 'job')} {'is' if result.accepted == 1 else 'are'} in batch {request.batch}, "
        "the rest is not; run the same command again to complete it"
    )
