"""The front door: the one console command ``gistmill``, whose subcommands are imported when they are run.

The commands that are here need both halves, producer and workers, which know nothing of each other.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from producer.cli.checks import order_missing_checks
from producer.cli.commands import COMMANDS, HELP
from producer.cli.front import EXIT_CODES, ExitCode, fail, run
from producer.cli.job_options import COUNT, READABLE_FILE, add_job_options, build_job_options
from producer.cli.lazy import Entry, LazyGroup
from producer.cli.terminal import json_option, print_json

CLUSTER = "Cluster"
QUALITY = "Quality"

CLUSTER_COMMANDS = {
    "demo": Entry("gistmill:demo", "Three documents to three summaries, from nothing.", CLUSTER),
    "plan": Entry("gistmill:plan", "What a job would do, without running it.", CLUSTER),
    "up": Entry("workers.cli.up:up", "Start the whole cluster on this machine.", CLUSTER),
    "worker": Entry("workers.cli.worker:worker", "Serve jobs on this machine's GPUs or CPU.", CLUSTER),
    "finetune": Entry("workers.cli.finetune:finetune", "Train an adapter on pairs of your own.", CLUSTER),
    "weights": Entry("gistmill:weights", "Weights and adapters that the cluster knows by name.", CLUSTER),
    "migrate": Entry("workers.cli.migrate:migrate", "Create or upgrade the tables.", CLUSTER),
    "rescue": Entry("workers.cli.rescue:rescue", "Find lost steps once and send them again.", CLUSTER),
    "evaluate": Entry("gistmill:evaluate", "Measure summaries: truth, or ROUGE against references.", QUALITY),
    "compare": Entry("gistmill:compare", "Two batches over the same documents, side by side.", QUALITY),
}

WEIGHTS_COMMANDS = {
    "list": Entry("producer.cli.weights:list_all", "List them, and which are served.", "Read"),
    "show": Entry("producer.cli.weights:show", "What one was made of, and how good it was.", "Read"),
    "add": Entry("workers.cli.weights:add", "Register a folder or a hub id.", "Change"),
    "merge": Entry("workers.cli.weights:merge", "Fold an adapter into its base.", "Change"),
    "remove": Entry("producer.cli.weights:remove", "Forget one; its files stay.", "Change"),
}

# The samples, and the strategy that each of them shows.
SAMPLES = {"clean_writeup.html": "stuff", "messy_notes.txt": "refine", "field_report.md": "map-reduce"}
# Short and greedy, so that it ends in a minute on two cores and says nearly the same every time.
DEMO_OPTIONS = ("--style", "news", "--greedy", "--max-new-tokens", "128", "--no-cache")


def make_group() -> LazyGroup:
    """Return every command of Gistmill."""
    return LazyGroup({**COMMANDS, **CLUSTER_COMMANDS}, help=HELP, epilog=EXIT_CODES)


weights = LazyGroup(
    WEIGHTS_COMMANDS,
    help="""Weights and adapters that the cluster knows by name.

    \b
    Examples:
      gistmill weights list
      gistmill weights add reports adapters/reports
    """,
    epilog=EXIT_CODES,
)


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
    from producer.cli.panels import print_summaries
    from producer.cli.watch import follow
    from workers.cli.up import run_missing_cluster

    batch = f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    with run_missing_cluster():
        folder = Path(__file__).parent / "producer" / "samples"
        for sample, strategy in SAMPLES.items():
            words = ["submit", str(folder / sample), "--batch", batch, "--strategy", strategy, *DEMO_OPTIONS]
            if code := run(make_group(), name="gistmill", arguments=words):
                return code
        follow(batch, is_live=True, as_json=False)
        is_whole = print_summaries(read_settings().require_database_url(), batch)
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
    """Read documents and print how each would be summarized: strategy, chunks, and calls, tokens and time at most.

    Nothing is submitted and no weights are loaded, only their tokenizer. The time is that of each
    job alone on one worker, at the speed of the latest jobs of these weights; where the results
    database knows none or does not answer, at that of the packaged weights on two cores.

    \b
    Examples:
      gistmill plan report.html
      gistmill plan posts.csv --text-column writeup --strategy refine --json
    """
    from models.settings import read_settings
    from producer.cli.plans import print_plans
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
    print_plans(rows, as_json=as_json)
    return code


@click.command()
@click.argument("name", metavar="BATCH|JOB")
@click.option("--references", type=READABLE_FILE, help="Table of good summaries: CSV, JSONL or Parquet.")
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
        order_missing_checks(name, as_json=as_json)
    elif id_column is None or reference_column is None:
        raise click.UsageError("--references needs --id-column and --reference-column")
    else:
        _score_references(name, references, id_column, reference_column, as_json=as_json)


@click.command()
@click.argument("first")
@click.argument("second")
@json_option
def compare(first: str, second: str, *, as_json: bool) -> None:
    """Compare two batches over the same documents: strategies, styles or weights.

    For each measure that both have: the means, and the mean of the paired differences (second less
    first) with its 95 % bootstrap interval. What could not be paired is named.

    \b
    Examples:
      gistmill compare nightly weekly
      gistmill compare nightly weekly --json
    """
    from models.reading import find_batch
    from producer.cli.database import open_session
    from producer.cli.quality import print_comparison
    from producer.errors import ProducerError
    from workers.comparison import compare_jobs
    from workers.evaluation.errors import PairingError

    with open_session() as session:
        sides = [find_batch(session, name) for name in (first, second)]
        try:
            found = compare_jobs(session, sides[0].batch_id, sides[1].batch_id)
        except PairingError as error:
            raise ProducerError(str(error)) from error
    compared = {"first": sides[0].batch, "second": sides[1].batch, **asdict(found)}
    if as_json:
        print_json(compared)
    else:
        print_comparison(compared)


def _score_references(batch: str, path: Path, id_column: str, reference_column: str, *, as_json: bool) -> None:
    """Score a batch against references, and print the means and what did not match."""
    from sqlalchemy.orm import Session

    from models.reading import find_batch
    from producer.cli.database import open_engine
    from producer.cli.quality import print_scores
    from producer.references import read_references
    from workers.references import score_references

    references = read_references(path, id_column=id_column, reference_column=reference_column)
    with open_engine() as engine:
        with Session(engine) as session:
            target = find_batch(session, batch)
        found = score_references(engine, target.batch_id, references, origin=path.name)
    scores = {"batch": target.batch, **asdict(found)}
    if as_json:
        print_json(scores)
    else:
        print_scores(scores)


if __name__ == "__main__":
    main()
