"""Command ``gistmill report``: write the report of a batch."""

from __future__ import annotations

from pathlib import Path

import click

from gistmill.cli.database import open_session
from gistmill.cli.output import write_whole


@click.command()
@click.argument("batch", required=False)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--limit", type=click.IntRange(min=0), help="Documents to show one by one.  [default: all]")
def report(batch: str | None, output: Path, limit: int | None) -> None:
    """Write one HTML page about a batch, the latest by default: progress, plots, every summary with its steps.

    The page holds everything and needs no network. With thousands of documents it is large; --limit
    keeps it small.

    \b
    Examples:
      gistmill report
      gistmill report nightly --output nightly.html
      gistmill report nightly --limit 50
    """
    import io

    from sqlalchemy import text

    from models.lookup import find_batch
    from producer.report.page import write_report

    with open_session() as session, write_whole(output) as file:
        # One snapshot for all queries of the page.
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        target = find_batch(session, batch)
        page = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        write_report(session, target.batch_id, page, limit=limit)
        page.flush()
        page.detach()
    click.echo(f"batch {target.batch} in {output} ({output.stat().st_size / 1e6:.1f} MB)")
