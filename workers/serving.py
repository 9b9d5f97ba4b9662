"""From settings to a loaded engine: the one place where the worker touches the engine package."""

from __future__ import annotations

from pathlib import Path

from models.settings import Settings
from workers.service import Served, end_process


def load_served(settings: Settings) -> Served:
    """Load the weights that the settings name, converting the packaged ones if that has not been done.

    Raises:
        EngineError: the weights cannot be served; the message says why and what to do.
    """
    from prometheus_client import REGISTRY

    from workers.engine.config import EngineConfig
    from workers.engine.engine import load_engine

    engine = load_engine(
        EngineConfig(
            weights=str(find_weights(settings)),
            revision=settings.revision,
            adapter=settings.adapter,
            dtype=settings.dtype,
            quantization=settings.quantization,
            device_map=None if settings.device_map == "none" else settings.device_map,
            slots=settings.slots,
            kv_cache_gb=settings.kv_cache_gb,
        ),
        on_fatal=end_process,
    )
    REGISTRY.register(engine.metrics)
    return Served(engine, engine.device, engine.seconds_since_progress, engine.close)


def find_weights(settings: Settings) -> str:
    """Return the folder or hub id to load; the packaged weights are converted into the data folder once."""
    if settings.weights != "packaged":
        return settings.weights
    from workers.engine.packaged import ensure_packaged_weights

    return str(ensure_packaged_weights(packaged_folder(settings)))


def packaged_folder(settings: Settings) -> Path:
    """Return where the packaged weights are converted to."""
    return settings.home / "weights" / "gemma-3-270m"
