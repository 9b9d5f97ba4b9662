"""Command ``gistmill show``: print one summary with its provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_client
from gistmill.cli.output import json_option, print_fields, print_json, print_text, style_state
from producer.wording import clean_line, count

if TYPE_CHECKING:
    from gistmill.webhooks import WebhookRecord
    from producer.provenance import Provenance

# Documents that a digest does not cite are named up to so many.
SHOWN_NAMES = 10


@click.command()
@click.argument("name", metavar="JOB")
@click.option("--full", is_flag=True, help="Print what every step wrote.")
@json_option
def show(name: str, *, full: bool, as_json: bool) -> None:
    """Print a job's summary, the passages that bear it out, what its check found, and how its steps made it.

    [1] marks a sentence; below the summary stand its verdict, which is verified, quoted or flagged
    with the reason, and the passages of the document that it cites.

    A check shows each sentence in doubt with the reason, MARKED if a name, number or date of it is
    nowhere in the document, and each question with the answers of the summary and of the document.

    A job is called by the beginning of its id, or by its document or its batch if that has no other job.

    \b
    Examples:
      gistmill show 3f9a1c2e
      gistmill show 3f9a1c2e --full
      gistmill show 3f9a1c2e --json
    """
    with open_client() as client:
        provenance = client.show(name)
        webhooks = [] if as_json else client.cluster.list_webhooks(provenance.job.batch_id)
    if as_json:
        print_json(provenance)
    else:
        _print_provenance(provenance, webhooks, is_full=full)


def _print_provenance(provenance: Provenance, webhooks: list[WebhookRecord], *, is_full: bool) -> None:
    from gistmill.cli.status import describe_fields, describe_webhooks
    from gistmill.cli.step_tree import render_citations, render_evidence, render_steps
    from producer.citations import mark_summary

    job = provenance.job
    if job.summary is not None:
        print_text(mark_summary(job.summary, provenance.sentences).strip() + "\n")
    for line in (lines := list(render_citations(provenance.sentences))):
        print_text(line)
    if lines:
        click.echo()
    click.echo(f"job {job.job_id}: {style_state(job.state)}")
    fields = describe_fields(job) | _describe_documents(provenance)
    fields |= _describe_plan(provenance) | _describe_measures(provenance)
    print_fields(fields | {"SHA-256 of the text": job.document_sha256} | describe_webhooks(webhooks))
    click.echo()
    for line in (lines := list(render_evidence(provenance.evidence))):
        print_text(line)
    if lines:
        click.echo()
    for line in render_steps(provenance, is_full=is_full):
        print_text(line)


def _describe_documents(provenance: Provenance) -> dict[str, object]:
    """Return how many of the documents behind a digest it cites, and the names of the others."""
    uncited = provenance.uncited
    if not provenance.documents or uncited is None:
        return {}
    names = ", ".join(clean_line(name) for name in uncited[:SHOWN_NAMES])
    more = f" and {len(uncited) - SHOWN_NAMES} more" if len(uncited) > SHOWN_NAMES else ""
    cites = f"{len(provenance.documents) - len(uncited)} of {count(len(provenance.documents), 'document')}"
    return {"cites": f"{cites}, not {names}{more}" if uncited else cites}


def _describe_plan(provenance: Provenance) -> dict[str, object]:
    plan = provenance.plan
    notes: dict[str, object] = {"the document": provenance.notes} if provenance.notes else {}
    if plan is None:
        return notes
    return {**notes, "planned": plan["reason"], "split": f"by {plan['splitter']}: {plan['split_reason']}"}


def _describe_measures(provenance: Provenance) -> dict[str, object]:
    return {
        measure.metric: f"not measurable: {clean_line(measure.reason or '')}"
        if measure.value is None
        else f"{measure.value:.3f}"
        for measure in provenance.evaluations
    }
