"""Merging a LoRA adapter into its base, so that serving it costs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workers.engine.errors import AdapterMismatchError


def merge_adapter(base: Any, *, folder: Path, adapter: Path) -> Any:
    """Return base weights with an adapter merged into them.

    Args:
        base: the loaded base weights, not quantized.
        folder: where they come from.
        adapter: the adapter's folder.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
    """
    from peft import PeftModel

    made_for = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    try:
        # Merged into copies: what is mapped from the weights' file stays as it is there.
        return PeftModel.from_pretrained(base, adapter).merge_and_unload(safe_merge=True).eval()
    except (RuntimeError, ValueError) as error:
        raise AdapterMismatchError(
            f"adapter {adapter} was made for {made_for.get('base_model_name_or_path')} and does not fit {folder}; "
            f"serve it with the weights it was trained on ({str(error).splitlines()[0]})"
        ) from error
