"""Rendering of a report as one HTML page without scripts or external resources."""

from __future__ import annotations

from typing import TextIO
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from producer.report.collect import Overview, collect_overview
from producer.report.documents import list_documents, list_index
from producer.report.environment import make_environment
from producer.report.plots import Plot, list_measure_plots, plot_lengths, plot_speed, plot_timeline

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
    stream = (
        make_environment()
        .get_template("page.html")
        .stream(
            overview=overview,
            progress=overview.snapshot.progress,
            plots=draw_plots(overview),
            index=list_index(session, batch_id, limit=limit),
            documents=list_documents(session, batch_id, limit=limit),
            shown=limit,
            now=session.execute(select(func.now())).scalar_one(),
        )
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
