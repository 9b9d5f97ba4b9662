"""Command ``gistmill demo``: summarize three sample documents on a cluster started for it."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path

import click

from gistmill.cli.database import open_client, open_session
from gistmill.cli.edge import ExitCode
from models.choices import Strategy
from producer.options import SubmitOptions

# Samples, and the strategy that each demonstrates.
SAMPLES: dict[str, Strategy] = {
    "clean_writeup.html": "stuff",
    "messy_notes.txt": "refine",
    "field_report.md": "map-reduce",
}
# Short and greedy: takes a minute on two cores, with nearly reproducible summaries.
DEMO_OPTIONS: SubmitOptions = {"style": "news", "do_sample": False, "max_new_tokens": 128, "cache": False}


@click.command()
def demo() -> int:
    """Bring the cluster up, summarize three documents, show how, and stop what was started.

    Uses the running cluster if there is one.

    \b
    Examples:
      gistmill demo
    """
    import producer
    from gistmill.cli.up import run_missing_cluster
    from gistmill.cli.watch import follow
    from models.settings import read_settings

    batch = f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    with run_missing_cluster():
        folder = Path(producer.__file__).parent / "samples"
        with open_client() as client:
            for sample, strategy in SAMPLES.items():
                options: SubmitOptions = {**DEMO_OPTIONS, "strategy": strategy}
                client.submit(folder / sample, name=batch, **options)
        follow(batch, is_live=True, as_json=False)
        is_whole = print_summaries(batch)
    # A checkout's `make demo` runs without the environment that its commands need.
    activate = Path(sys.prefix) / "bin" / "activate"
    first = "" if shutil.which("gistmill") else f"  source {activate}\n"
    click.echo(
        f"\nEverything is kept in {read_settings().home}. Look closer:\n"
        f"{first}"
        "  gistmill up                    start the cluster again and leave it running; it prints its addresses\n"
        f"  gistmill status {batch}\n"
        "  gistmill show JOB              a summary with every step behind it\n"
        "  gistmill submit YOUR-FILES     your own documents"
    )
    return ExitCode.DONE if is_whole else ExitCode.INCOMPLETE


def print_summaries(batch: str) -> bool:
    """Print every summary of a batch with its citations and figures; return True if every document has one."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from gistmill.cli.step_tree import render_citations
    from models.listing import JobFilter, list_jobs
    from models.lookup import find_target
    from producer.citations import mark_summary
    from producer.cited_documents import read_cited
    from producer.wording import clean_text

    console = Console()
    with open_session() as session:
        target = find_target(session, batch)
        jobs = list(list_jobs(session, JobFilter(batch_id=target.batch_id)))
        cited = read_cited(session, [job.job_id for job in jobs])
        for job in jobs:
            figures = (
                f"{job.strategy}, {job.chunks} chunk{'s' if job.chunks != 1 else ''}, {job.steps} steps, "
                f"{job.prompt_tokens:,} tokens read, {job.completion_tokens:,} written, {job.seconds or 0:.0f} s"
            )
            sentences = cited.get(job.job_id, ())
            text = mark_summary(job.summary, sentences) if job.summary else job.reason or ""
            lines = [clean_text(text), *([""] if sentences else []), *render_citations(sentences)]
            console.print(
                Panel(Text("\n".join(lines)), title=f"{job.source}: {job.state}", subtitle=figures, title_align="left")
            )
            console.print(f"  gistmill show {str(job.job_id)[:8]}", highlight=False)
    return all(job.summary for job in jobs)
