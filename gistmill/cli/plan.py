"""Command ``gistmill plan``: plan jobs and estimate their time, without submitting them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from gistmill.cli.edge import ExitCode, fail
from gistmill.cli.options import COUNT, JOB_SECTIONS, READING_SECTION, add_job_options
from gistmill.cli.output import json_option, print_json, print_table, print_wrapped
from gistmill.cli.sections import SectionedCommand
from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceNote, SourceProblem
from producer.wording import clean_line, format_seconds

# Documents that are named with a reason that they share.
SHOWN_SOURCES = 3
# Fields of a plan by their heading; those of tokens are read and written at most.
COLUMNS = {name: name for name in ("source", "strategy", "splitter", "chunks", "calls", "depth")} | {
    "read": "prompt_tokens",
    "written": "completion_tokens",
}


@click.command(cls=SectionedCommand, sections={**READING_SECTION, **JOB_SECTIONS})
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--limit", type=COUNT, help="Plan this many documents at most.")
@click.option("--ocr", is_flag=True, help="Recognize the text of pictures and scanned pages; needs the extra `ocr`.")
@add_job_options
@json_option
def plan(paths: tuple[str, ...], *, ocr: bool, as_json: bool, **given: Any) -> int:
    """Read documents and print how each would be summarized: strategy, chunks, and calls, tokens and time at most.

    Everything that `gistmill submit` reads can be planned: text, Markdown, HTML, PDF, DOCX, EPUB and more.

    Nothing is submitted and no weights are loaded, only their tokenizer. The time is that of each
    job alone on one worker, at the speed of the latest jobs of these weights; where the results
    database knows none or does not answer, at that of the packaged weights on two cores.

    \b
    Examples:
      gistmill plan report.html
      gistmill plan posts.csv --text-column writeup --strategy refine --json
    """
    from gistmill.cli.progress import ReadingProgress
    from gistmill.planning import plan_documents
    from models.settings import read_settings

    codes = [0]
    with ReadingProgress(total=given["limit"], action="reading and planning") as progress:

        def report(event: ReadEvent) -> None:
            codes.append(print_event(event))
            if isinstance(event, Source):
                progress.report(event)

        plans = plan_documents(read_settings(), paths, {"ocr": ocr, **given}, on_read=report)
    print_plans([asdict(plan) for plan in plans], as_json=as_json)
    return ExitCode.INCOMPLETE if plans and any(codes) else max(codes)


def print_event(event: ReadEvent) -> int:
    """Print a problem, a duplicate or a note of reading, and return the exit code of the problem."""
    match event:
        case SourceProblem():
            return fail(event.message, event.exit_code)
        case SourceDuplicate():
            _print_note(f"{event.name} is dropped: the same text was read before as {event.first_name}")
        case SourceNote():
            _print_note(event.message)
    return 0


def _print_note(message: str) -> None:
    click.echo(clean_line(f"gistmill: note: {message}"), err=True)


def print_plans(plans: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print a table of plans, then their reasons with the documents, and the origin of the times."""
    if as_json:
        print_json(plans)
        return
    if not plans:
        return
    rows = [[*(str(plan[column]) for column in COLUMNS.values()), format_seconds(plan["seconds"])] for plan in plans]
    print_table((*COLUMNS, "time"), rows, flexible={"source": 18}, droppable=("depth", "splitter", "written", "read"))
    by_reason: dict[str, list[str]] = defaultdict(list)
    for plan in plans:
        by_reason[f"{plan['strategy']}, because {plan['reason']}; {plan['split_reason']}"].append(plan["source"])
    for reason, sources in by_reason.items():
        hidden = len(sources) - SHOWN_SOURCES
        more = f" and {hidden:,} more" if hidden > 0 else ""
        print_wrapped(clean_line(f"{', '.join(sources[:SHOWN_SOURCES])}{more}: {reason}"), indent=2)
    for origin in dict.fromkeys(plan["rates"]["origin"] for plan in plans):
        total = format_seconds(sum(plan["seconds"] for plan in plans))
        click.echo(f"time: at most, each job alone on one worker ({total} one after the other), {origin}")
