"""Weights as they lie on the disk, found without a download and measured by the headers of their files."""

from __future__ import annotations

from pathlib import Path

from models.settings import PACKAGED, Settings

# Bytes of a number by quantization; others keep the dtype.
QUANTIZED_BYTES = {"int8": 1.0, "fp8": 1.0, "nf4": 0.6, "bf16": 2.0, "half": 2.0}
DTYPE_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
# Bytes of a number where nothing is asked for.
DEVICE_BYTES = {"cpu": 4.0, "cuda": 2.0}
# Numbers of the packaged weights.
PACKAGED_NUMBERS = 268_098_176


def find_local_weights(settings: Settings) -> Path | None:
    """Return the folder of the weights on this machine; None if they would be converted or downloaded first."""
    if settings.weights == PACKAGED:
        from workers.weights.packaged import is_converted, packaged_folder

        folder = packaged_folder(settings)
        return folder if is_converted(folder) else None
    from workers.weights.hub_cache import find_cached

    folder = Path(settings.weights).expanduser()
    return folder if folder.is_dir() else find_cached(settings.weights, revision=settings.revision)


def measure_bytes(settings: Settings, folder: Path | None, *, device: str) -> float | None:
    """Return the memory that weights take as they are served, roughly; None if their files are not here.

    Args:
        settings: of this process.
        folder: of the weights.
        device: "cpu" or "cuda".
    """
    from workers.weights.errors import WeightsError
    from workers.weights.folder import list_tensors

    if folder is None and settings.weights != PACKAGED:
        return None
    try:
        numbers = PACKAGED_NUMBERS if folder is None else sum(one.elements for one in list_tensors(folder).values())
    except WeightsError:
        return None
    usual = DTYPE_BYTES.get(settings.dtype, DEVICE_BYTES[device])
    return numbers * QUANTIZED_BYTES.get(settings.quantization, usual)
