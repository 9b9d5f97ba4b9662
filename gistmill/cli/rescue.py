"""Command ``gistmill rescue``: one run of the reclaimer that every worker runs periodically."""

from __future__ import annotations

from dataclasses import fields

import click
import redis

from models.errors import UnreachableError
from models.publisher import CeleryPublisher, make_celery
from models.session import open_database
from models.settings import read_settings
from workers.execution.reclaim import Reclaimer, ReclaimReport

WORDS = {
    "lost_leases": "steps taken back from workers that died",
    "broker_losses": "steps that a broker had forgotten, or may have when it was started again",
    "unsent": "steps sent for the first time",
    "resent": "steps sent again",
    "cancelled_jobs": "cancelled jobs brought to their end",
    "stuck_jobs": "jobs that cannot move (please report them)",
    "not_sent": "steps that could not be sent because the broker is away",
}


@click.command()
def rescue() -> None:
    """Find lost steps once, send them again, and say what was done.

    Every worker does this every few seconds; run it to see what is going on.

    \b
    Examples:
      gistmill rescue
    """
    settings = read_settings()
    broker_url = settings.require_broker_url()
    with open_database(settings.require_database_url()) as engine:
        reclaimer = Reclaimer(
            engine,
            broker_url,
            CeleryPublisher(make_celery(broker_url)),
            redispatch_seconds=settings.redispatch_seconds,
            restart_grace_seconds=settings.restart_grace_seconds,
            retention_days=settings.retention_days,
        )
        try:
            report = reclaimer.run_pass()
        except redis.RedisError as error:
            raise UnreachableError(
                f"the broker does not answer ({error}); start it (`gistmill up`) or set GISTMILL_BROKER_URL"
            ) from None
    for line in describe_report(report):
        click.echo(line)


def describe_report(report: ReclaimReport | None) -> list[str]:
    """Return the report of a run as lines; None means that another process holds the lock."""
    if report is None:
        return ["another process is rescuing right now"]
    counts = ((getattr(report, field.name), WORDS[field.name]) for field in fields(report))
    return [f"{count} {words}" for count, words in counts if count] or ["nothing was lost"]
