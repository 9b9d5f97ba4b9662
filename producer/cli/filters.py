"""The options that choose jobs, for the commands that list them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from producer.cli.job_options import STRATEGIES
from producer.cli.times import parse_since

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.reading import JobFilter

# The same words as in models.job (a test compares them).
STATES = ("queued", "running", "succeeded", "partial", "failed", "cancelled")
Command = TypeVar("Command", bound=Callable[..., Any])


class Since(click.ParamType[datetime]):
    """A moment: a date, a date with a time, or how long ago."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        try:
            return parse_since(value, datetime.now().astimezone())
        except ValueError:
            self.fail(f"{value!r} is no moment; give 2026-11-22, 2026-11-22T18:30 or an age such as 90min, 12h, 3d")


OPTIONS = (
    click.option("--status", "states", type=click.Choice(STATES), multiple=True, help="Only jobs in this state."),
    click.option("--strategy", "strategies", type=click.Choice(STRATEGIES[1:]), multiple=True, help="Only this one."),
    click.option("--weights", multiple=True, help="Only jobs for weights of this name."),
    click.option("--since", type=Since(), help="Only jobs submitted since: 2026-11-22, 12h, 3d."),
    click.option("--needs-review", is_flag=True, help="Only jobs whose check has something against the summary."),
    click.option("--limit", type=click.IntRange(min=1), help="This many jobs at most."),
)


def add_filters(command: Command) -> Command:
    """Add the options to a command, in the order of the table."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def make_filter(session: Session, name: str | None, given: dict[str, Any]) -> JobFilter:
    """Return which jobs are meant; without a name, those of all batches."""
    from models.reading import JobFilter, find_target

    if name is None:
        return JobFilter(**given)
    target = find_target(session, name)
    return JobFilter(batch_id=target.batch_id, job_id=target.job_id, **given)
