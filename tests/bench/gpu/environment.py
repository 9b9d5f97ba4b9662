"""Environment of a run: versions, the card, and the attention kernels that are there to be tried."""

from __future__ import annotations

import inspect
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder

PACKAGES = (
    "torch", "transformers", "accelerate", "peft", "safetensors", "tokenizers", "huggingface_hub", "triton",
    "bitsandbytes", "flash-attn", "flash-attn-3", "kernels", "xformers",
)  # fmt: skip


def record_environment(plan: BenchPlan, recorder: Recorder, adapted: list[str]) -> None:
    """Record the machine and its packages, and the names that had to be added to transformers."""
    recorder.add("packages", python=platform.python_version(), **{name: find_version(name) for name in PACKAGES})
    recorder.add("added to transformers", names=adapted)
    recorder.add("variable-length attention of PyTorch", signature=find_varlen_signature())
    if plan.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        recorder.add(
            "card",
            kind=card.name,
            gib=round(card.total_memory / 2**30, 1),
            processors=card.multi_processor_count,
            capability=f"{card.major}.{card.minor}",
            cuda=torch.version.cuda,
            has_bfloat16=torch.cuda.is_bf16_supported(),
        )


def find_version(package: str) -> str | None:
    """Return the version of a package, None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def find_varlen_signature() -> str | None:
    """Return how PyTorch's own attention over ragged batches is called, None if this PyTorch has none."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return str(inspect.signature(varlen_attn))
