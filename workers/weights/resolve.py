"""From the name that a worker serves to the weights behind it: what is registered wins over the environment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.errors import UnknownIdError
from models.registry import suggest_nearest
from models.settings import DEFAULT_NAME, NO_ADAPTER, Settings
from models.tables import Weights, WeightsKind


def resolve_name(settings: Settings, session: Session) -> Settings:
    """Return settings with the weights and the adapter that the name to serve stands for.

    Raises:
        UnknownIdError: the name is not registered, and nothing else says what it stands for.
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
    """Return the settings that serve registered weights; an adapter is merged into its base."""
    # GISTMILL_REVISION is of GISTMILL_WEIGHTS, which these are not.
    if row.kind != WeightsKind.ADAPTER:
        return {"weights": row.location, "adapter": NO_ADAPTER, "revision": None}
    return {"weights": session.get_one(Weights, row.base).location, "adapter": row.location, "revision": None}
