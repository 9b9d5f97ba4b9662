"""Resolution of a user's reference to weights (registered name, folder, hub id, ``packaged``) into a local folder."""

from __future__ import annotations

from pathlib import Path

from models.registry import find_weights
from models.session import open_transaction
from models.settings import PACKAGED, Settings
from models.tables import Weights, WeightsKind
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.errors import ServingError
from workers.weights.folder import find_folder, read_metadata
from workers.weights.packaged import packaged_folder, require_packaged_adapter
from workers.weights.registration import BaseWeights


def locate_base(settings: Settings, given: str) -> BaseWeights:
    """Return the base weights behind a user's reference.

    Raises:
        WeightsError: there is no such folder or hub id.
        UnknownIdError: no weights are registered under the name.
        ServingError: the name belongs to an adapter.
    """
    if is_name(given):
        row, _ = read_registered(settings, given)
        if row.kind == WeightsKind.ADAPTER:
            raise ServingError(f"{given!r} is an adapter; name the weights that it was trained on, or merged ones")
        return BaseWeights(_find_base_folder(settings, row.location), row.location, row.name)
    folder = _find_base_folder(settings, given)
    location = str(folder.resolve()) if Path(given).expanduser().is_dir() else given
    return BaseWeights(folder, location, str(read_metadata(folder).get("name") or Path(given).name))


def locate_adapter(settings: Settings, given: str, *, base: str) -> tuple[BaseWeights, Path]:
    """Return the base weights and the folder of the adapter behind a user's reference.

    Args:
        settings: settings of this machine.
        given: a registered name, or a folder.
        base: reference to the base weights of an adapter folder; a registered adapter has its own.

    Raises:
        WeightsError: there is no such adapter.
        UnknownIdError: nothing is registered under the name.
        ServingError: the name belongs to other weights than an adapter.
    """
    if not is_name(given):
        return locate_base(settings, base), find_folder(given, kind="adapter")
    row, row_base = read_registered(settings, given)
    if row.kind != WeightsKind.ADAPTER or row_base is None:
        raise ServingError(f"{given!r} is no adapter but {row.kind} weights; name an adapter")
    folder = require_packaged_adapter() if row.location == PACKAGED else find_folder(row.location, kind="adapter")
    return BaseWeights(_find_base_folder(settings, row_base.location), row_base.location, row_base.name), folder


def is_name(given: str) -> bool:
    """Tell whether a reference is a registered name: it has no slash, unlike hub ids, and is no existing folder."""
    return given != PACKAGED and "/" not in given and not Path(given).is_dir()


def read_registered(settings: Settings, name: str) -> tuple[Weights, Weights | None]:
    """Return the rows of registered weights and of their base, if any."""
    with open_transaction(settings.require_database_url()) as session:
        row = find_weights(session, name)
        base = None if row.base is None else find_weights(session, row.base)
        session.expunge_all()
    return row, base


def _find_base_folder(settings: Settings, location: str) -> Path:
    if location == PACKAGED:
        return ensure_packaged_weights(packaged_folder(settings))
    return find_folder(location)
