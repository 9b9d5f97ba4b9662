"""Where and in which dtype weights are served: decided from the weights' config and the machine, before loading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from workers.engine.config import EngineConfig, Quantization
from workers.engine.cpu.half import has_fbgemm
from workers.engine.cpu.onednn import has_native_bfloat16, has_onednn
from workers.engine.errors import UnsupportedSettingError

# What the linear layers are served as; "none" is the weights' own dtype.
ServedQuantization = Literal["none", "bf16", "half", "int8", "nf4"]


# Trained in float16's range; every later Gemma overflows in it.
FLOAT16_FAMILIES = frozenset({"gemma", "gemma2"})


@dataclass(frozen=True, slots=True)
class Placement:
    """Device, dtype and quantization that weights are served with."""

    device: Literal["cpu", "cuda"]
    dtype: torch.dtype
    quantization: ServedQuantization

    @property
    def is_int8_on_cpu(self) -> bool:
        """True if linear layers are quantized by ourselves and not by bitsandbytes."""
        return self.device == "cpu" and self.quantization == "int8"

    @property
    def can_pack(self) -> bool:
        """True if the linear layers keep their dtype and oneDNN can lay them out once."""
        return self.device == "cpu" and self.quantization == "none" and has_onednn(self.dtype)

    @property
    def dtype_name(self) -> str:
        """The dtype as settings spell it."""
        return str(self.dtype).removeprefix("torch.")


def choose_placement(config: EngineConfig, weights_config: Any) -> Placement:
    """Resolve every ``auto`` of the config.

    Raises:
        UnsupportedSettingError: what is asked for does not run on this machine.
    """
    has_gpu = torch.cuda.is_available()
    if config.device == "cuda" and not has_gpu:
        raise UnsupportedSettingError("device is cuda but PyTorch sees no GPU; set it to cpu or install a CUDA build")
    device: Literal["cpu", "cuda"] = "cuda" if has_gpu and config.device != "cpu" else "cpu"
    dtype = choose_dtype(weights_config.model_type, device) if config.dtype == "auto" else getattr(torch, config.dtype)
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

    A CPU gets 16 bits: bfloat16, in which Gemma was trained, if it computes in that, else half precision, which says
    what float32 says word for word. Int8 is not enough faster for saying something else.
    """
    if asked != "auto":
        return asked
    if device != "cpu" or dtype is not torch.float32 or not has_fbgemm():
        return "none"
    return "bf16" if has_native_bfloat16() else "half"


def choose_dtype(family: str, device: str) -> torch.dtype:
    """Return the dtype that is safe and fast for a family of weights on a device."""
    if device == "cpu":
        return torch.float32
    if family in FLOAT16_FAMILIES:
        return torch.float16
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
