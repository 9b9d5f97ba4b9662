"""The half of ``gistmill evaluate`` that workers do: ordering the checks that a batch lacks."""

from __future__ import annotations

import click

from producer.cli.database import open_engine
from producer.cli.terminal import count, print_json, warn_unsent


def order_missing_checks(batch: str, *, as_json: bool) -> None:
    """Order a check for every summary of a batch that has none, and say how many were ordered."""
    from sqlalchemy.orm import Session

    from models.checking import find_unchecked
    from models.queues import CeleryDoorbell, make_celery
    from models.reading import find_batch
    from models.settings import read_settings
    from producer.checks import order_checks
    from producer.wakeups import Announcer

    doorbell = CeleryDoorbell(make_celery(read_settings().require_broker_url()))
    with open_engine() as engine:
        with Session(engine) as session:
            target = find_batch(session, batch)
            jobs = find_unchecked(session, target.batch_id)
        announcer = Announcer(engine, doorbell)
        ordered = order_checks(engine, announcer, jobs)
    warn_unsent(announcer.unsent)
    if as_json:
        print_json({"batch": target.batch, "ordered": ordered, "unsent": announcer.unsent})
    elif ordered:
        click.echo(f"{count(ordered, 'check')} ordered; follow them with: gistmill watch {target.batch}")
    else:
        click.echo(f"every summary of batch {target.batch} is checked or being checked")
