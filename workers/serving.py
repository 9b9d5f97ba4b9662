"""From settings to a loaded engine: what the served name stands for, which adapter goes with it, and loading both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client import REGISTRY

from models.settings import NO_ADAPTER, PACKAGED, Settings
from workers.database import open_transaction
from workers.engine.errors import InsufficientMemoryError
from workers.errors import ServingError, ShortageError
from workers.importing import import_without_gc
from workers.service import Served, end_process
from workers.weights.errors import WeightsError
from workers.weights.fingerprint import begin_hashing
from workers.weights.folder import find_folder
from workers.weights.packaged import packaged_folder
from workers.weights.resolve import resolve_name
from workers.weights.trained_prompt import TrainedPrompt, read_trained_prompt

if TYPE_CHECKING:
    from workers.engine.config import EngineConfig

log = structlog.get_logger()


def load_served(settings: Settings) -> Served:
    """Load the weights that the settings name, converting the packaged ones if that has not been done.

    A name that is registered in the results database says itself what it stands for.

    Raises:
        ServingError: the weights cannot be served; the message says why and what to do.
        ShortageError: there is no room for them.
        UnknownIdError: nothing says what the name stands for.
    """
    with open_transaction(settings) as session:
        settings = resolve_name(settings, session)
    try:
        weights, adapter = find_folders(settings)
        trained_prompt = read_trained_prompt(weights, adapter)
        # Beside the seconds in which one core imports torch and transformers.
        hashing = begin_hashing(weights, adapter)
        with import_without_gc():
            from workers.engine.engine import load_engine
        engine = load_engine(make_config(settings, weights, adapter), hashing=hashing, on_fatal=end_process)
    except InsufficientMemoryError as error:
        raise ShortageError(str(error)) from error
    except WeightsError as error:
        raise ServingError(str(error)) from error
    log.info(
        "engine_loaded",
        quantization=engine.weights.placement.quantization,
        lanes=len(engine.lanes.loops),
        context_tokens=engine.context_tokens,
    )
    REGISTRY.register(engine.metrics)
    return Served(engine, engine.device, engine.seconds_since_progress, engine.close, trained_prompt)


def make_config(settings: Settings, weights: Path, adapter: Path | None) -> EngineConfig:
    """Return what the settings say about the engine.

    Args:
        settings: of this process.
        weights: the folder that ``find_folders`` found for them; asked again, a hub may name another by then.
        adapter: as weights.
    """
    from workers.engine.config import EngineConfig

    return EngineConfig(
        weights=str(weights),
        adapter=None if adapter is None else str(adapter),
        dtype=settings.dtype,
        quantization=settings.quantization,
        device_map=None if settings.device_map == "none" else settings.device_map,
        slots=settings.slots,
        kv_cache_gb=settings.kv_cache_gb,
    )


def find_trained_prompt(settings: Settings) -> TrainedPrompt:
    """Return the prompt that the weights were trained with; raises as ``find_folders`` and ``read_trained_prompt``."""
    return read_trained_prompt(*find_folders(settings))


def find_folders(settings: Settings) -> tuple[Path, Path | None]:
    """Return the folders of the weights to serve and of their adapter; what is on the hub alone is downloaded.

    Raises:
        WeightsNotFoundError: the weights or the adapter are not there.
        WeightsUnsafeError: they are not safetensors.
        WeightsCorruptError: they are not whole.
    """
    weights = find_folder(find_weights(settings), revision=settings.revision)
    adapter = find_adapter(settings)
    return weights, None if adapter is None else find_folder(adapter, kind="adapter")


def find_weights(settings: Settings) -> str:
    """Return the folder or hub id to load; the packaged weights are converted into the data folder once."""
    if settings.weights != PACKAGED:
        return settings.weights
    from workers.engine.packaged_conversion import ensure_packaged_weights

    return str(ensure_packaged_weights(packaged_folder(settings)))


def find_adapter(settings: Settings) -> str | None:
    """Return the folder or hub id of the adapter to merge; the packaged weights get the packaged one if it is there.

    Raises:
        WeightsNotFoundError: the packaged adapter was asked for and is not there.
    """
    from workers.weights.packaged import find_packaged_adapter, require_packaged_adapter

    if settings.adapter == PACKAGED:
        return str(require_packaged_adapter())
    if settings.adapter:
        return None if settings.adapter == NO_ADAPTER else settings.adapter
    packaged = find_packaged_adapter() if settings.weights == PACKAGED else None
    return None if packaged is None else str(packaged)
