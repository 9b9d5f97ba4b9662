"""Warning after a submission whose weights no worker serves."""

from __future__ import annotations

import click


def warn_unserved(weights: str) -> None:
    """Warn if no live worker serves the weights; for the default name only if workers serve others."""
    from sqlalchemy.orm import Session

    from gistmill.cli.database import open_engine
    from models.lookup import list_live_workers
    from models.registry import suggest_nearest
    from models.settings import DEFAULT_NAME

    with open_engine() as engine, Session(engine) as session:
        served = sorted({worker.weights for worker in list_live_workers(session)})
    if weights in served or (weights == DEFAULT_NAME and not served):
        return
    near = suggest_nearest(weights, served) if served else ""
    click.echo(
        f"gistmill: warning: no worker serves weights {weights!r} now{near}; the jobs wait until one does "
        f"(`gistmill worker --name {weights}`)",
        err=True,
    )
