"""Names of weights: describe a folder as a row of the ``weights`` table, and resolve a worker's name by those rows.

A registered name takes precedence over the environment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.errors import UnknownIdError
from models.registry import add_weights, find_fingerprint, find_weights, suggest_nearest
from models.settings import DEFAULT_NAME, NO_ADAPTER, PACKAGED, Settings
from models.tables import Weights, WeightsKind
from workers.weights.fingerprint import hash_folder
from workers.weights.folder import find_folder, read_metadata
from workers.weights.metadata import AdapterMetadata, fingerprint_base
from workers.weights.packaged import FINGERPRINT, NAME, SUMMARIES, find_packaged_adapter, require_packaged_adapter


def register_weights(session: Session, name: str, location: str, *, base: str | None = None) -> Weights:
    """Register weights at a location; see ``describe_weights``. The caller commits.

    Raises:
        NameInUseError: the name is taken.
    """
    row = describe_weights(session, name, location, base=base)
    add_weights(session, row)
    return row


def register_trained(session: Session, name: str, folder: Path, *, base: BaseWeights) -> Weights:
    """Register an adapter or merged weights, and their base under its own name unless it is registered."""
    fingerprint = fingerprint_base(base.folder)
    known = find_fingerprint(session, fingerprint)
    if known is None:
        known = _make_row(base.name, WeightsKind.BASE, base.location, fingerprint)
        add_weights(session, known)
    return register_weights(session, name, str(folder), base=known.name)


def describe_weights(session: Session, name: str, location: str, *, base: str | None = None) -> Weights:
    """Return the row for weights at a location: a folder, a hub id, or ``packaged``.

    Args:
        session: session for the look-up of the base.
        name: name to register.
        location: reference that is valid on every worker that serves the weights.
        base: name of the registered base of an adapter or merged weights; None takes it from their metadata.

    Raises:
        WeightsError: there are no weights, or they were trained for another base.
        UnknownIdError: the base is not registered.
    """
    is_folder = Path(location).expanduser().is_dir()
    if is_folder:
        location = str(Path(location).expanduser().resolve())
    is_adapter = (Path(location) / "adapter_config.json").is_file() if is_folder else base is not None
    if location == PACKAGED:
        return describe_packaged_adapter(name, base) if base else describe_packaged_base(name)
    folder = find_folder(location, kind="adapter" if is_adapter else "weights")
    if is_adapter:
        return _describe_trained(session, name, location, folder, WeightsKind.ADAPTER, base)
    if "base_fingerprint" in read_metadata(folder):
        return _describe_trained(session, name, location, folder, WeightsKind.MERGED, base)
    return _make_row(name, WeightsKind.BASE, location, fingerprint_base(folder))


def describe_packaged() -> Iterator[Weights]:
    """Yield the rows of the packaged weights and, if installed, of the packaged adapter."""
    yield describe_packaged_base(NAME)
    if find_packaged_adapter() is not None:
        yield describe_packaged_adapter(SUMMARIES, NAME)


def describe_packaged_base(name: str) -> Weights:
    """Return the row of the packaged weights, converted or not."""
    return _make_row(name, WeightsKind.BASE, PACKAGED, FINGERPRINT)


def describe_packaged_adapter(name: str, base: str) -> Weights:
    """Return the row of the packaged adapter."""
    folder = require_packaged_adapter()
    metadata = AdapterMetadata.read(folder)
    return _make_row(name, WeightsKind.ADAPTER, PACKAGED, hash_adapter(folder), base=base, metadata=metadata)


def hash_adapter(folder: Path) -> str:
    """Return the fingerprint of an adapter's files: a SHA-256 in hexadecimal digits."""
    return hashlib.sha256(json.dumps(hash_folder(folder), sort_keys=True).encode()).hexdigest()


def _describe_trained(
    session: Session, name: str, location: str, folder: Path, kind: WeightsKind, base: str | None
) -> Weights:
    metadata = AdapterMetadata.read(folder)
    known = None if base else find_fingerprint(session, metadata.base_fingerprint)
    known = known or find_weights(session, base or metadata.base)
    metadata.check_fingerprint(known.fingerprint, known.name)
    fingerprint = hash_adapter(folder) if kind is WeightsKind.ADAPTER else fingerprint_base(folder)
    return _make_row(name, kind, location, fingerprint, base=known.name, metadata=metadata)


def _make_row(
    name: str,
    kind: WeightsKind,
    location: str,
    fingerprint: str,
    *,
    base: str | None = None,
    metadata: AdapterMetadata | None = None,
) -> Weights:
    training: dict[str, Any] = {}
    if metadata is not None:
        prompt = {"prompt_format": metadata.prompt_format.value, "style": metadata.prompt_style, "data": metadata.data}
        training = metadata.training | prompt
    return Weights(
        name=name,
        kind=kind,
        location=location,
        base=base,
        fingerprint=fingerprint,
        training=training,
        data_sha256=metadata.data.get("hash") if metadata else None,
        metrics=metadata.metrics if metadata else {},
    )


@dataclass(frozen=True, slots=True)
class BaseWeights:
    """Base weights on this machine.

    Args:
        folder: local folder.
        location: reference that is valid on every worker.
        name: name in an adapter's metadata.
    """

    folder: Path
    location: str
    name: str


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
