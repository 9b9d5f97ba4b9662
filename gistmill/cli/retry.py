"""Command ``gistmill retry``: run failed and cancelled steps again."""

from __future__ import annotations

import click

from gistmill.cli.database import open_engine
from gistmill.cli.output import json_option, print_json, warn_unsent
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
    from sqlalchemy.orm import Session

    from models.lookup import find_target, list_ended_jobs
    from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
    from models.settings import read_settings
    from producer.retry import retry_jobs

    publisher = CeleryPublisher(make_celery(read_settings().require_broker_url()))
    with open_engine() as engine:
        with Session(engine) as session:
            target = find_target(session, name)
            jobs = [target.job_id] if target.job_id else list_ended_jobs(session, target.batch_id)
        outbox_publisher = OutboxPublisher(engine, publisher)
        replies = retry_jobs(engine, outbox_publisher, jobs, with_marked=marked)
    warn_unsent(outbox_publisher.unsent)
    if as_json:
        print_json({reply.name.lower(): number for reply, number in replies.items()})
        return
    for reply, number in replies.items():
        click.echo(f"{count(number, 'job')}: {reply}")
    if not jobs:
        click.echo(f"no job of batch {target.batch} has failed, is partial or was cancelled")
