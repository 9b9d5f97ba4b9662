"""Description of served weights in words: base, adapter and precision, by the names that people gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.settings import PACKAGED, Settings
from models.tables import Weights, WeightsKind
from workers.weights.packaged import NAME, SUMMARIES


@dataclass(frozen=True, slots=True)
class RegisteredNames:
    """Names of registered weights by their locations.

    Args:
        weights: of base and merged weights.
        adapters: of adapters.
    """

    weights: Mapping[str, str]
    adapters: Mapping[str, str]


def read_names(session: Session) -> RegisteredNames:
    """Return the names of registered weights; of several at one location the first that was registered."""
    names: tuple[dict[str, str], dict[str, str]] = {}, {}
    for row in session.scalars(select(Weights).order_by(Weights.created_at, Weights.name)):
        names[row.kind == WeightsKind.ADAPTER].setdefault(row.location, row.name)
    return RegisteredNames(*names)


def describe_served_weights(
    settings: Settings, names: RegisteredNames, *, has_adapter: bool, precision: str | None
) -> str:
    """Return weights in words, such as ``gemma-3-270m, adapter posts, int8``.

    Args:
        settings: settings with the weights and the adapter behind the served name.
        names: names of registered weights; others are called by their folder or hub id.
        has_adapter: whether an adapter is applied.
        precision: quantization, or else the dtype; None if it is not known.
    """
    adapter = settings.adapter or PACKAGED
    parts = [_find_name(settings.weights, names.weights, packaged=NAME)]
    if has_adapter:
        parts.append(f"adapter {_find_name(adapter, names.adapters, packaged=SUMMARIES)}")
    return ", ".join([*parts, *([precision] if precision else [])])


def _find_name(location: str, names: Mapping[str, str], *, packaged: str) -> str:
    if location in names:
        return names[location]
    if location == PACKAGED:
        return packaged
    folder = Path(location).expanduser()
    # The folder of a hub's snapshot is a commit; a hub id stays whole.
    return folder.name if folder.is_absolute() or folder.is_dir() else location
