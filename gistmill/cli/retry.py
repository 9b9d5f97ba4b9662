"""Command ``gistmill retry``: run failed and cancelled steps again."""

from __future__ import annotations

from shlex import quote

import click

from gistmill.cli.database import open_client
from gistmill.cli.output import json_option, print_json
from producer.wording import count


@click.command()
@click.argument("name", metavar="BATCH|JOB")
@click.option("--marked", is_flag=True, help="Also run steps again whose output a guard has marked.")
@json_option
def retry(name: str, *, marked: bool, as_json: bool) -> None:
    """Run the failed and cancelled steps of a job or a batch again; what is finished stays.

    \b
    Examples:
      gistmill retry nightly
      gistmill retry 3f9a1c2e
      gistmill retry nightly --marked
    """
    from producer.retry import RetryOutcome

    with open_client() as client:
        target = client.cluster.find_target(name)
        replies = client.retry(target.job_id or target.batch_id, marked=marked)
    if as_json:
        print_json({reply.name.lower(): number for reply, number in replies.items()})
        return
    for reply, number in replies.items():
        click.echo(f"{reply}: {count(number, 'job')}")
    if replies[RetryOutcome.WHOLE] and not marked:
        click.echo(f"what guards marked runs again with: gistmill retry {quote(name)} --marked", err=True)
    if not replies:
        click.echo(f"no job of batch {target.batch} has failed, is partial or was cancelled")
