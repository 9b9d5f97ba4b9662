"""Command ``gistmill digest``: make one summary over the documents of a batch."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.database import open_client
from gistmill.cli.edge import ExitCode
from gistmill.cli.options import COUNT, JOB_SECTIONS, add_job_options
from gistmill.cli.output import json_option, print_json
from gistmill.cli.sections import SectionedCommand
from gistmill.cli.watch import explain_interrupt, follow
from producer.wording import count

if TYPE_CHECKING:
    from gistmill.batch_record import BatchRecord
    from producer.options import PriorityName

SECTIONS = {"Digest": ("by", "batch", "priority", "keep_days", "wait", "as_json"), **JOB_SECTIONS}


@click.command(cls=SectionedCommand, sections=SECTIONS)
@click.argument("name", metavar="BATCH")
@click.option("--by", metavar="COLUMN", help="Make a digest for each value of this column of the documents' table.")
@add_job_options
@click.option("--priority", type=click.Choice(("low", "normal", "high")), default="normal", show_default=True)
@click.option("--batch", help="Name of the digests' batch.  [default: made from the summaries and the options]")
@click.option("--keep-days", type=COUNT, help="Delete each job so many days after its end.  [default: the cluster's]")
@click.option("--wait", is_flag=True, help="Return when all digests have ended and are checked.")
@json_option
def digest(
    name: str,
    by: str | None,
    priority: PriorityName,
    batch: str | None,
    keep_days: int | None,
    *,
    wait: bool,
    as_json: bool,
    **summarizing: Any,
) -> int:
    """Make one summary over all documents of a batch, from the summaries that it has.

    A digest is a job. Each of its sentences cites its documents and the passages in them: gistmill
    show prints both. What two documents say differently is quoted at its end. Jobs that have not
    ended or have no summary are left out. Run it again after the batch has changed: only the steps
    that depend on the change run again (--greedy is the default, so that the others are reused).

    \b
    Examples:
      gistmill digest nightly
      gistmill digest nightly --by author --wait
      gistmill digest nightly --words 200 --json
    """
    with open_client() as client:
        digests = client.digest(name, by=by, batch=batch, priority=priority, keep_days=keep_days, **summarizing)
    with explain_interrupt(digests.name):
        if not (wait and as_json):
            _print_outcome(digests, as_json=as_json)
        return follow(digests.name, is_live=False, as_json=as_json) if wait else ExitCode.DONE


# Equal steps are reused only where they are deterministic, so a digest is not sampled like other jobs.
for option in digest.params:
    if isinstance(option, click.Option) and option.name == "do_sample":
        option.help = "Sample, or take the likeliest token.  [default: greedy]"


def _print_outcome(digests: BatchRecord, *, as_json: bool) -> None:
    if as_json:
        counts = {"new": digests.new, "existing": digests.existing, "unsent": digests.unsent}
        notes = [note.message for note in digests.notes]
        print_json({"batch": digests.name, "batch_id": digests.id, **counts, "left_out": notes})
        return
    state = "submitted" if digests.new else "already there, nothing new"
    click.echo(f"batch {digests.name}: {count(digests.new or digests.existing, 'digest')} {state}")
    click.echo(f"follow it with: gistmill watch {quote(digests.name)}")
