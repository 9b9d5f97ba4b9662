"""Rendering of a report as one HTML page without scripts or external resources."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.choices import SHOWN_STATES
from producer.report.collect import Overview, collect_overview
from producer.report.documents import list_documents
from producer.report.plots import Plot, list_measure_plots, plot_lengths, plot_speed, plot_timeline
from producer.wording import describe_verdicts, format_seconds

# Template pieces joined per write.
BUFFERED_PIECES = 200


def write_report(session: Session, batch_id: UUID, file: TextIO, *, limit: int | None = None) -> None:
    """Write the report of a batch as HTML.

    Args:
        session: use a repeatable-read transaction for a consistent report.
        batch_id: id of the batch.
        file: destination, written in pieces, so that the page may exceed the memory.
        limit: maximum number of documents with a section of their own; the overview counts all.
    """
    overview = collect_overview(session, batch_id)
    environment = _make_environment()
    stream = environment.get_template("page.html").stream(
        overview=overview,
        progress=overview.snapshot.progress,
        states=SHOWN_STATES,
        plots=draw_plots(overview),
        documents=list_documents(session, batch_id, limit=limit),
        shown=limit,
        verdicts_of=describe_verdicts,
        now=session.execute(select(func.now())).scalar_one(),
    )
    stream.enable_buffering(BUFFERED_PIECES)
    for piece in stream:
        file.write(piece)


def draw_plots(overview: Overview) -> list[Plot]:
    """Return the plots that have data."""
    plots = []
    if overview.calls:
        plots += [plot_timeline(overview.calls), plot_speed(overview.calls)]
    if overview.lengths:
        plots.append(plot_lengths(overview.lengths))
    return plots + list_measure_plots(overview.measures)


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # document texts are hostile
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=format_seconds, moment=_format_moment, share=_format_share, anchor=_make_anchor)
    return environment


def _format_moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _format_share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _make_anchor(job_id: UUID) -> str:
    return f"job-{job_id}"
