"""LoRA: rank and target modules of the adapter, gradients through a 4-bit base, and saving."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workers.finetuning.errors import QuantizationUnavailableError, TrainingSettingsError

# All linear layers of a Gemma block; the head and the embedding get no adapter.
GEMMA_LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Size of the adapter (LoRA, Hu et al. 2021).

    Args:
        r: rank of each adapter matrix.
        alpha: numerator of the output scale ``alpha / r``.
        dropout: share of adapter inputs dropped while training.
    """

    r: int = 6
    alpha: int = 12
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.r < 1 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise TrainingSettingsError(f"LoRA needs r and alpha of 1 or more, and dropout in [0, 1), not {self}")

    def build_config(self, layers: Sequence[int] | None = None) -> Any:
        """Return the PEFT configuration.

        Args:
            layers: indices of the layers that get an adapter; None for all.
        """
        from peft import LoraConfig

        return LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=list(GEMMA_LINEAR_LAYERS),
            layers_to_transform=None if layers is None else list(layers),
            layers_pattern=None if layers is None else "layers",
            task_type="CAUSAL_LM",
        )


def keep_differentiable(network: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit layers, so that gradients pass through them on every CPU.

    On a CPU with bfloat16 instructions bitsandbytes repacks a layer permanently at its first evaluation, and the
    repacked product has no gradient: the evaluation before training would leave most of the adapter untrained.
    """
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def load_start(network: Any, folder: Path, *, lora: LoraSettings) -> Any:
    """Return a base with a trained adapter that trains on.

    Args:
        network: the base.
        folder: the trained adapter.
        lora: settings of the run, whose rank and alpha must be the adapter's.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
        AdapterUnreadableError: it is broken, or no LoRA adapter.
        TrainingSettingsError: it has another rank or alpha.
    """
    from workers.engine.adapter import attach_adapter, read_adapter_config

    trained = read_adapter_config(folder)
    rank, alpha = trained.get("r"), trained.get("lora_alpha")
    if (rank, alpha) != (lora.r, lora.alpha):
        raise TrainingSettingsError(f"{folder} has rank {rank} and alpha {alpha}: give --rank {rank} --alpha {alpha}")
    return attach_adapter(network, folder=Path(network.name_or_path), adapter=folder, is_trainable=True)


def save_adapter(network: Any, folder: Path, *, base: str) -> None:
    """Save a trained adapter in PEFT's format, with the name of its base instead of a local path.

    Args:
        network: the base with its adapter.
        folder: the adapter's folder.
        base: name of the base weights.
    """
    # PEFT's model card would contain the path; its other facts are in gistmill.json.
    network.create_or_update_model_card = lambda _folder: None
    # No layer of the vocabulary is trained, and PEFT would save all of them if it took its size for changed.
    network.save_pretrained(folder, save_embedding_layers=False)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"base_model_name_or_path": base}, indent=2) + "\n", encoding="utf-8")


def require_bitsandbytes() -> None:
    """Check that QLoRA is available.

    Raises:
        QuantizationUnavailableError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise QuantizationUnavailableError(
            "QLoRA needs bitsandbytes, which is not installed: install the extra `train` or train without --qlora"
        )
