"""The half of ``gistmill evaluate`` that workers do: ordering the checks that a batch lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from producer.cli.database import open_engine
from producer.cli.terminal import count, print_json, warn_unsent

if TYPE_CHECKING:
    from models.reading import Target


def order_missing_checks(name: str, *, as_json: bool) -> None:
    """Order a check for every summary of a batch, or of one job, that has none, and say how many were ordered."""
    from sqlalchemy.orm import Session

    from models.checking import find_summarized, find_unchecked
    from models.queues import CeleryDoorbell, make_celery
    from models.reading import find_target
    from models.settings import read_settings
    from producer.checks import order_checks
    from producer.wakeups import Announcer

    doorbell = CeleryDoorbell(make_celery(read_settings().require_broker_url()))
    with open_engine() as engine:
        with Session(engine) as session:
            target = find_target(session, name)
            summarized = find_summarized(session, target.batch_id, target.job_id)
            jobs = find_unchecked(session, target.batch_id, target.job_id)
        announcer = Announcer(engine, doorbell)
        ordered = order_checks(engine, announcer, jobs)
    warn_unsent(announcer.unsent)
    if as_json:
        print_json({"batch": target.batch, "ordered": ordered, "unsent": announcer.unsent})
    elif ordered:
        click.echo(f"{count(ordered, 'check')} ordered; follow them with: gistmill watch {target.batch}")
    elif not summarized:
        click.echo(f"{_describe(target)} has no summary to check")
    elif target.job_id is None:
        click.echo(f"every summary of {_describe(target)} is checked or being checked")
    else:
        click.echo(f"the summary of {_describe(target)} is checked or being checked")


def _describe(target: Target) -> str:
    return f"batch {target.batch}" if target.job_id is None else f"job {target.job_id}"
