"""Command ``gistmill status``: print the progress of batches and jobs."""

from __future__ import annotations

from dataclasses import asdict, astuple
from shlex import quote
from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_client
from gistmill.cli.output import json_option, print_fields, print_json, print_table, print_wrapped, style_state
from models.choices import SHOWN_STATES
from producer.wording import clean_line, count, describe_verdicts, describe_weights, format_moment, format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gistmill.webhooks import WebhookRecord
    from models.views import BatchProgress, JobSummary
    from producer.status import Snapshot

# Batches to list if none is named.
RECENT = 20
# The column "flagged" counts sentences, the others jobs and steps.
BATCH_COLUMNS = (
    "batch",
    "submitted",
    "jobs",
    "open",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
    "flagged",
    "steps",
)
# On a narrow terminal: the column that is cut, with the width that it keeps, and columns that give way.
FLEXIBLE = {"batch": 32}
DROPPABLE = ("steps", "cancelled", "flagged", "submitted", "partial", "failed")
# Spaces before the continuation of a failure.
CONTINUED = 12
# Headings for the fields of a ``StepCount``, in their order.
STEP_COLUMNS = ("strategy", "step", "waiting", "running", "done", "failed", "cancelled")


@click.command()
@click.argument("name", metavar="[BATCH|JOB]", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=RECENT, show_default=True, help="Batches to list.")
@json_option
def status(name: str | None, limit: int, *, as_json: bool) -> None:
    """Say how far a batch or a job is; without a name, list the latest batches.

    A batch is called by its name, a job by the beginning of its id or by its document.

    \b
    Examples:
      gistmill status
      gistmill status nightly
      gistmill status 3f9a1c2e --json
    """
    with open_client() as client:
        if name is None:
            _print_batches(client.batches(limit=limit), as_json=as_json)
            return
        target = client.cluster.find_target(name)
        if target.job_id is None:
            batch = client.batch(target.batch_id)
            _print_batch(batch.status(), batch.webhooks(), as_json=as_json)
        else:
            _print_job(next(iter(client.summaries(target.job_id))).job, as_json=as_json)


def describe_states(progress: BatchProgress) -> str:
    """Return the number of jobs by state: ``8 succeeded, 2 running``."""
    counts = {state: getattr(progress, state) for state in SHOWN_STATES}
    return ", ".join(f"{number:,} {style_state(state)}" for state, number in counts.items() if number)


def describe_steps(snapshot: Snapshot) -> str:
    """Return the numbers of steps done, running and, if any, cancelled."""
    progress = snapshot.progress
    cancelled = sum(step_count.cancelled for step_count in snapshot.steps)
    parts = [f"{progress.steps_done:,} of {progress.steps:,} done", f"{progress.steps_running:,} running"]
    return ", ".join([*parts, *([f"{cancelled:,} cancelled"] if cancelled else [])])


def describe_checks(progress: BatchProgress) -> str:
    """Return the numbers of summaries being checked and in need of review; "" if none."""
    words = {"under way": progress.being_checked, "need review": progress.need_review}
    return ", ".join(f"{number:,} {what}" for what, number in words.items() if number)


def describe_webhooks(webhooks: list[WebhookRecord]) -> dict[str, object]:
    """Return the fields of webhooks for printing, one for each."""
    return {
        f"webhook {number}" if len(webhooks) > 1 else "webhook": webhook.describe()
        for number, webhook in enumerate(webhooks, start=1)
    }


def _print_batch(snapshot: Snapshot, webhooks: list[WebhookRecord], *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(snapshot), "webhooks": webhooks})
        return
    progress = snapshot.progress
    click.echo(f"batch {progress.batch}: {count(progress.jobs, 'job')}, {describe_states(progress)}")
    print_fields(
        {
            "submitted": format_moment(progress.created_at),
            "finished": format_moment(snapshot.ended_at),
            "steps": describe_steps(snapshot),
            "checks": describe_checks(progress),
            "sentences": describe_verdicts(progress.verified, progress.quoted, progress.flagged),
            "tokens": f"{progress.prompt_tokens:,} read, {progress.completion_tokens:,} written",
            "speed": f"{snapshot.tokens_per_second:.1f} tokens/s" if snapshot.tokens_per_second else None,
            "time left": None if progress.is_over else format_seconds(snapshot.seconds_left),
            "workers": None if progress.is_over else describe_workers(snapshot),
            **describe_webhooks(webhooks),
        }
    )
    click.echo()
    print_table(STEP_COLUMNS, [astuple(step_count) for step_count in snapshot.steps])
    print_failures(snapshot)


def print_failures(snapshot: Snapshot) -> None:
    """Print the latest failures, and the commands that retry or show them."""
    lines = [
        f"  {str(job.job_id)[:8]}  {style_state(job.state)}  {clean_line(f'{job.source}: {job.words}')}"
        for job in snapshot.failures
    ]
    if snapshot.hidden_failures:
        lines.append(f"  and {snapshot.hidden_failures:,} more")
    if lines:
        lines.insert(0, "not whole:")
    lines.extend(_suggest_commands(snapshot))
    if lines:
        click.echo()
        for line in lines:
            print_wrapped(line, indent=CONTINUED)
        click.echo()


def _suggest_commands(snapshot: Snapshot) -> Iterator[str]:
    progress = snapshot.progress
    poor = progress.partial + progress.failed
    has_failed = poor and any(step_count.failed for step_count in snapshot.steps if step_count.kind != "evaluate")
    what = " or ".join(word for word, is_so in (("failed", has_failed), ("was cancelled", progress.cancelled)) if is_so)
    if what:
        more = " (with --marked also what guards marked)" if has_failed else ""
        yield f"run what {what} again with: gistmill retry {quote(progress.batch)}{more}"
    if poor and not has_failed:
        yield f"run what guards marked again with: gistmill retry {quote(progress.batch)} --marked"
    if progress.need_review:
        yield f"read what needs review with: gistmill results {quote(progress.batch)} --needs-review"
    if progress.flagged:
        yield f"read what is flagged with: gistmill results {quote(progress.batch)} --flagged"


def describe_workers(snapshot: Snapshot) -> str:
    """Return the live workers with their load, and the weights that none serves."""
    if not snapshot.workers:
        return "none is running; start one with `gistmill up` or `gistmill worker`"
    there = ", ".join(
        f"{worker.node} ({worker.device}, {describe_weights(worker.weights, worker.served_weights)}, "
        f"{worker.running} running)"
        for worker in snapshot.workers
    )
    lacking = "".join(f"; none serves {name}: `gistmill worker --name {name}`" for name in snapshot.unserved)
    return there + lacking


def _print_batches(batches: list[BatchProgress], *, as_json: bool) -> None:
    if as_json:
        print_json(batches)
    elif not batches:
        click.echo("there is no batch yet; submit one with: gistmill submit PATH...")
    else:
        rows = [
            (
                batch.batch,
                format_moment(batch.created_at),
                batch.jobs,
                batch.open_jobs,
                batch.succeeded,
                batch.partial,
                batch.failed,
                batch.cancelled,
                batch.flagged,
                f"{batch.steps_done}/{batch.steps}",
            )
            for batch in batches
        ]
        print_table(BATCH_COLUMNS, rows, flexible=FLEXIBLE, droppable=DROPPABLE)


def _print_job(job: JobSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    click.echo(f"job {job.job_id}: {style_state(job.state)}")
    print_fields(describe_fields(job))


def describe_fields(job: JobSummary) -> dict[str, object]:
    """Return the fields of a job for printing, without its summary."""
    return {
        "source": job.source,
        "title": job.title,
        "batch": job.batch,
        "reason": job.reason,
        "needs review": job.review,
        "check": "under way" if job.is_being_checked else None,
        "consistency": None if job.consistency is None else f"{job.consistency:.3f}",
        "strategy": f"{job.strategy}, {job.style}",
        "weights": describe_weights(job.weights, job.served_weights),
        "document": f"{job.document_characters:,} characters"
        + (f", {count(job.chunks, 'chunk')} of {job.document_tokens:,} tokens" if job.chunks else ""),
        "summary": f"{job.summary_characters:,} characters" if job.summary_characters else None,
        "sentences": describe_verdicts(job.verified, job.quoted, job.flagged),
        "steps": f"{job.steps_done} of {job.steps} done"
        + (f", {job.steps_failed} failed" if job.steps_failed else "")
        + (f", {job.cached_steps} from the cache" if job.cached_steps else "")
        + (f", {count(job.retries, 'retry', 'retries')}" if job.retries else ""),
        "tokens": f"{job.prompt_tokens:,} read, {job.completion_tokens:,} written",
        "submitted": format_moment(job.created_at),
        "took": format_seconds(job.seconds),
    }
