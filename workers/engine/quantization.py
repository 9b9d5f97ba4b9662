"""Weights in 8 and 4 bits by bitsandbytes; 8 bits on a CPU are a matter of ``int8``."""

from __future__ import annotations

from typing import Any

from workers.engine.device import Placement


def build_bitsandbytes_config(placement: Placement) -> Any:
    """Return what tells transformers to quantize with bitsandbytes, computing in the serving dtype; None if not to."""
    if placement.quantization == "none" or placement.is_int8_on_cpu:
        return None
    from transformers import BitsAndBytesConfig

    if placement.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=placement.dtype,
    )
