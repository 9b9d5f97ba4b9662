"""Placement of weights: device, dtype and quantization, chosen before the load from their config and the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from workers.engine.config import EngineConfig, Quantization
from workers.engine.cpu.half import has_fbgemm
from workers.engine.cpu.onednn import has_native_bfloat16, has_onednn
from workers.engine.errors import UnsupportedSettingError

# Quantization of the linear layers; "none" keeps the serving dtype.
ServedQuantization = Literal["none", "bf16", "half", "int8", "nf4"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Device, dtype and quantization of served weights."""

    device: Literal["cpu", "cuda"]
    dtype: torch.dtype
    quantization: ServedQuantization

    @property
    def is_int8_on_cpu(self) -> bool:
        """Whether ``quantize_linears`` quantizes the linear layers, and not bitsandbytes."""
        return self.device == "cpu" and self.quantization == "int8"

    @property
    def can_prepack(self) -> bool:
        """Whether the linear layers keep their dtype and can be prepacked for oneDNN."""
        return self.device == "cpu" and self.quantization == "none" and has_onednn(self.dtype)

    @property
    def dtype_name(self) -> str:
        """Name of the dtype in settings."""
        return str(self.dtype).removeprefix("torch.")


def choose_placement(config: EngineConfig) -> Placement:
    """Resolve every ``auto`` of the config.

    Raises:
        UnsupportedSettingError: the settings do not run on this machine.
    """
    has_gpu = torch.cuda.is_available()
    if config.device == "cuda" and not has_gpu:
        raise UnsupportedSettingError("device is cuda but PyTorch sees no GPU; set it to cpu or install a CUDA build")
    device: Literal["cpu", "cuda"] = "cuda" if has_gpu and config.device != "cpu" else "cpu"
    dtype = choose_dtype(device) if config.dtype == "auto" else getattr(torch, config.dtype)
    quantization = choose_quantization(config.quantization, device, dtype)
    if quantization in {"bf16", "half"} and (device != "cpu" or dtype is not torch.float32):
        raise UnsupportedSettingError(f"quantization {quantization} is for float32 on a CPU; set dtype instead")
    if quantization == "bf16" and not has_onednn(torch.bfloat16):
        raise UnsupportedSettingError("this CPU has no instructions for quantization bf16; set it to half or auto")
    if device == "cpu" and quantization in {"bf16", "half", "int8"} and not has_fbgemm():
        raise UnsupportedSettingError(
            f"quantization {quantization} needs FBGEMM, which this PyTorch lacks; set it to none"
        )
    return Placement(device=device, dtype=dtype, quantization=quantization)


def choose_quantization(asked: Quantization, device: str, dtype: torch.dtype) -> ServedQuantization:
    """Return the quantization to serve with.

    A CPU gets 16 bits: bfloat16, in which Gemma was trained, if it has instructions for it, else float16, which gives
    the text of float32. Int8 changes the text, and is too little faster to be worth it.
    """
    if asked != "auto":
        return asked
    if device != "cpu" or dtype is not torch.float32 or not has_fbgemm():
        return "none"
    return "bf16" if has_native_bfloat16() else "half"


def choose_dtype(device: str) -> torch.dtype:
    """Return the dtype that is safe and fast on a device; in float16 Gemma 3 overflows and Gemma 2 is unstable."""
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
