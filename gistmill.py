"""The front door: the one console command ``gistmill``, whose subcommands are imported when they are run.

The demo is here too, because it is the one command that both runs a cluster and submits to it.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from producer.cli.commands import COMMANDS, HELP
from producer.cli.front import EXIT_CODES, ExitCode, fail, run
from producer.cli.job_options import COUNT, add_job_options, build_job_options
from producer.cli.lazy import Entry, LazyGroup
from producer.cli.terminal import json_option, print_json, print_table

CLUSTER = "Cluster"

CLUSTER_COMMANDS = {
    "demo": Entry("gistmill:demo", "Three documents to three summaries, from nothing.", CLUSTER),
    "plan": Entry("gistmill:plan", "What a job would do, without running it.", CLUSTER),
    "up": Entry("workers.cli.up:up", "Start the whole cluster on this machine.", CLUSTER),
    "worker": Entry("workers.cli.worker:worker", "Serve jobs on this machine's GPUs or CPU.", CLUSTER),
    "migrate": Entry("workers.cli.migrate:migrate", "Create or upgrade the tables.", CLUSTER),
    "rescue": Entry("workers.cli.rescue:rescue", "Find lost steps once and send them again.", CLUSTER),
}

# The samples, and the strategy that each of them shows.
SAMPLES = {"clean_writeup.html": "stuff", "messy_notes.txt": "refine", "field_report.md": "map-reduce"}
# Short and greedy, so that it ends in minutes on two cores and says the same every time.
DEMO_OPTIONS = ("--style", "news", "--greedy", "--max-new-tokens", "128", "--no-cache")


def make_group() -> LazyGroup:
    """Return every command of Gistmill."""
    return LazyGroup({**COMMANDS, **CLUSTER_COMMANDS}, help=HELP, epilog=EXIT_CODES)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(make_group(), name="gistmill"))


@click.command()
def demo() -> int:
    """Bring the cluster up, summarize three documents, show how, and stop what was started.

    Uses the running cluster if there is one.

    \b
    Examples:
      gistmill demo
    """
    from models.settings import read_settings
    from producer.cli.watch import follow

    batch = f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    with ExitStack() as stack:
        _bring_up(stack)
        folder = Path(__file__).parent / "producer" / "samples"
        for sample, strategy in SAMPLES.items():
            words = ["submit", str(folder / sample), "--batch", batch, "--strategy", strategy, *DEMO_OPTIONS]
            if code := run(make_group(), name="gistmill", arguments=words):
                return code
        follow(batch, is_live=True, as_json=False)
        is_whole = _print_summaries(read_settings().require_database_url(), batch)
    click.echo(
        "\nEverything is kept. Look closer:\n"
        "  gistmill up                    start the cluster again and leave it running; it prints its addresses\n"
        f"  gistmill status {batch}\n"
        "  gistmill show JOB              a summary with every step behind it\n"
        "  gistmill submit YOUR-FILES     your own documents"
    )
    return ExitCode.DONE if is_whole else ExitCode.INCOMPLETE


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--limit", type=COUNT, help="Plan this many documents at most.")
@add_job_options
@json_option
def plan(paths: tuple[str, ...], *, as_json: bool, **given: Any) -> int:
    """Read documents and print how each would be summarized: strategy, chunks, calls and tokens at most.

    Nothing is submitted and no weights are loaded, only their tokenizer.

    \b
    Examples:
      gistmill plan report.html
      gistmill plan posts.csv --text-column writeup --strategy refine --json
    """
    from models.settings import read_settings
    from producer.sources.reading import read_sources
    from producer.sources.source import Source, SourceProblem
    from workers.planner import Planner

    reading = {name: given.pop(name) for name in ("text_column", "id_column", "limit")}
    planner = Planner(read_settings(), build_job_options(given))
    rows = []
    code = 0
    for event in read_sources(paths, **reading):
        if isinstance(event, Source):
            rows.append({"source": event.name, **planner.plan(event.text, event.format)})
        elif isinstance(event, SourceProblem):
            code = fail(event.message, event.exit_code)
    _print_plans(rows, as_json=as_json)
    return code


def _print_plans(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    columns = ("source", "strategy", "splitter", "chunks", "calls", "depth", "prompt_tokens", "completion_tokens")
    print_table(columns, [[str(row[column]) for column in columns] for row in rows])
    for reason in dict.fromkeys(f"{row['strategy']}: {row['reason']}; {row['split_reason']}" for row in rows):
        click.echo(reason)


def _bring_up(stack: ExitStack) -> None:
    """Start the embedded cluster for the length of the stack, unless the user's own or a running one is there."""
    from models.settings import read_settings
    from workers.cli.up import prepare_weights
    from workers.errors import AlreadyRunningError
    from workers.launch import list_gpus
    from workers.local.stack import Stack

    settings = read_settings()
    if settings.database_url and settings.broker_url:
        return
    prepare_weights(settings.weights)
    local = Stack(settings, list_gpus(os.environ), report=lambda words: click.echo(f"  {words} ..."))
    with suppress(AlreadyRunningError):
        stack.enter_context(local.run())


def _print_summaries(database_url: str, batch: str) -> bool:
    """Print every summary with its figures, and tell whether every document got one."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text
    from sqlalchemy.orm import Session

    from models.reading import JobFilter, find_target, list_jobs
    from models.session import connect

    console = Console()
    with Session(connect(database_url, pool_size=1)) as session:
        target = find_target(session, batch)
        jobs = list(list_jobs(session, JobFilter(batch_id=target.batch_id)))
        for job in jobs:
            figures = (
                f"{job.strategy}, {job.chunks} chunks, {job.steps} steps, {job.prompt_tokens:,} tokens read, "
                f"{job.completion_tokens:,} written, {job.seconds or 0:.0f} s"
            )
            text = Text(job.summary or job.reason or "")
            console.print(Panel(text, title=f"{job.source}: {job.state}", subtitle=figures, title_align="left"))
            console.print(f"  gistmill show {str(job.job_id)[:8]}", highlight=False)
    return all(job.summary for job in jobs)


if __name__ == "__main__":
    main()
