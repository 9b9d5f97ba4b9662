"""Weights in 8 and 4 bits: bitsandbytes for GPUs."""

from __future__ import annotations

from typing import Any

from workers.engine.device import Placement
from workers.engine.errors import UnsupportedSettingError


def build_bitsandbytes_config(placement: Placement) -> Any:
    """Return what tells transformers to quantize with bitsandbytes, computing in the serving dtype."""
    from transformers import BitsAndBytesConfig

    if placement.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=placement.dtype,
    )


def quantize_linears(network: Any) -> None:
    """Refuse int8 on a CPU."""
    raise UnsupportedSettingError(
        f"{type(network).__name__} cannot be served in int8 on a CPU; set quantization to none"
    )
