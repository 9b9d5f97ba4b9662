"""Command ``gistmill cancel``: cancel a job or a batch."""

from __future__ import annotations

import click

from gistmill.cli.database import open_client
from gistmill.cli.output import json_option, print_json
from producer.wording import clean_line, count


@click.command()
@click.argument("name", metavar="BATCH|JOB")
@json_option
def cancel(name: str, *, as_json: bool) -> None:
    """Stop a job or all open jobs of a batch; what is finished stays.

    Steps that run are given up within seconds; checks that have not begun are called off.
    `gistmill retry` takes the jobs up again.

    \b
    Examples:
      gistmill cancel nightly
      gistmill cancel 3f9a1c2e
    """
    with open_client() as client:
        target = client.cluster.find_target(name)
        result = client.cancel(target.job_id or target.batch_id)
    if as_json:
        print_json(result)
        return
    counts = (
        (result.ended, "job", "cancelled"),
        (result.ending, "job", "with a running step will end within seconds"),
        (result.already, "job", "had ended before"),
        (result.checks, "check", "called off"),
    )
    parts = [f"{count(number, noun)} {what}" for number, noun, what in counts if number]
    job = "" if target.job_id is None else f"job {str(target.job_id)[:8]} of "
    click.echo(f"{job}batch {clean_line(target.batch)}: {', '.join(parts) or '0 jobs cancelled'}")
