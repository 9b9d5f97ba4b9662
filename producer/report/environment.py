"""Templates of every page: the macros that they share, and the filters that write values for people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.batch_counts import BatchCounts
from models.choices import SHOWN_STATES
from models.views import BatchProgress
from producer.wording import describe_verdicts, describe_weights, format_seconds

FOLDER = Path(__file__).parent


def make_environment(*folders: Path) -> Environment:
    """Return the environment of the templates in folders, after which comes that of the report."""
    environment = Environment(
        loader=FileSystemLoader([*folders, FOLDER]),
        autoescape=True,  # document texts are hostile
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=format_seconds, moment=format_utc, share=_format_share, anchor=make_anchor)
    environment.globals.update(
        states=SHOWN_STATES,
        describe_states=describe_states,
        describe_verdicts=describe_verdicts,
        describe_weights=describe_weights,
    )
    return environment


def describe_states(progress: BatchProgress | BatchCounts) -> str:
    """Return the numbers of jobs by state: ``12 succeeded, 3 running``."""
    counts = ((getattr(progress, state), state) for state in SHOWN_STATES)
    return ", ".join(f"{number:,} {state}" for number, state in counts if number)


def format_utc(moment: datetime | None) -> str:
    """Return a time in UTC; "" for None."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def make_anchor(job_id: UUID) -> str:
    """Return the beginning of the ids of a job's elements."""
    return f"job-{job_id}"


def _format_share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
