"""Resolution of a worker's weights name; a registered name takes precedence over the environment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.errors import UnknownIdError
from models.registry import suggest_nearest
from models.settings import DEFAULT_NAME, NO_ADAPTER, Settings
from models.tables import Weights, WeightsKind


def resolve_name(settings: Settings, session: Session) -> Settings:
    """Return settings with the weights and the adapter behind the name to serve.

    Raises:
        UnknownIdError: the name is not registered, and the settings give no weights.
    """
    name = settings.weights_name
    row = session.get(Weights, name)
    if row is not None:
        return settings.model_copy(update=locate_weights(row, session))
    if name == DEFAULT_NAME or "weights" in settings.model_fields_set:
        return settings
    known = session.scalars(select(Weights.name).order_by(Weights.name)).all()
    raise UnknownIdError(
        f"no weights are registered as {name!r} and GISTMILL_WEIGHTS is not set{suggest_nearest(name, known)}"
    )


def locate_weights(row: Weights, session: Session) -> dict[str, Any]:
    """Return the settings that serve registered weights; an adapter comes with its base."""
    # GISTMILL_REVISION applies to GISTMILL_WEIGHTS alone.
    if row.kind != WeightsKind.ADAPTER:
        return {"weights": row.location, "adapter": NO_ADAPTER, "revision": None}
    return {"weights": session.get_one(Weights, row.base).location, "adapter": row.location, "revision": None}
