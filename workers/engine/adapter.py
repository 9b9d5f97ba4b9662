"""Merging a LoRA adapter into its base, so that serving it costs nothing."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.engine.device import Placement
from workers.engine.errors import AdapterMismatchError


def merge_adapter(
    folder: Path, adapter: Path, *, placement: Placement, device_map: str | None, load: Callable[..., Any]
) -> Any:
    """Return the weights with their adapter merged at full precision, and quantized afterwards.

    Args:
        folder: the base weights.
        adapter: the adapter.
        placement: how the merged weights are served.
        device_map: as in ``EngineConfig``.
        load: loads a weights folder; quantization needs the merged weights as a folder of their own.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
    """
    unquantized = dataclasses.replace(placement, quantization="none")
    base = load(folder, placement=unquantized, adapter=None, device_map=device_map)
    merged = _merge(base, folder=folder, adapter=adapter)
    if placement.quantization == "none":
        return merged
    with tempfile.TemporaryDirectory(prefix="gistmill-merged-") as merged_folder:
        merged.save_pretrained(merged_folder)
        del base, merged
        return load(Path(merged_folder), placement=placement, adapter=None, device_map=device_map)


def _merge(base: Any, *, folder: Path, adapter: Path) -> Any:
    from peft import PeftModel

    made_for = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    try:
        return PeftModel.from_pretrained(base, adapter).merge_and_unload().eval()
    except (RuntimeError, ValueError) as error:
        raise AdapterMismatchError(
            f"adapter {adapter} was made for {made_for.get('base_model_name_or_path')} and does not fit {folder}; "
            f"serve it with the weights it was trained on ({str(error).splitlines()[0]})"
        ) from error
