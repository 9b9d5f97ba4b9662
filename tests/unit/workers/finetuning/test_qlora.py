"""QLoRA: a 4-bit base under a full-precision adapter, on the CPU as bitsandbytes has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.pairs import finetune, read_pair_files
from tests.unit.workers.finetuning.conftest import build_config
from workers.engine.device import Placement
from workers.finetuning import lora
from workers.finetuning.config import Optimizer
from workers.finetuning.errors import QuantizationUnavailableError
from workers.finetuning.merge import merge_adapter
from workers.finetuning.trainer import choose_optimizer
from workers.finetuning.training import build_trainer, gather_material


def test_the_base_is_held_in_nf4_and_computed_in_the_serving_dtype(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, qlora=True, training={"optimizer": Optimizer.PAGED_ADAMW_8BIT})
    material = gather_material(config, read_pair_files(config))
    trainer = build_trainer(config, material, lambda _: None)
    quantization = trainer.model.config.quantization_config
    assert (quantization.load_in_4bit, quantization.bnb_4bit_quant_type) == (True, "nf4")
    assert quantization.bnb_4bit_compute_dtype is material.placement.dtype


def test_a_4_bit_base_trains_and_its_adapter_merges_into_the_full_precision_one(
    base_weights: Path, tmp_path: Path
) -> None:
    config = build_config(tmp_path, base_weights, qlora=True, training={"optimizer": Optimizer.PAGED_ADAMW_8BIT})
    result = finetune(config)
    assert result.metadata.metrics["after"]["loss"] < result.metadata.metrics["before"]["loss"]
    assert (merge_adapter(base_weights, result.adapter, tmp_path / "merged") / "model.safetensors").is_file()


def test_measuring_the_base_leaves_every_4_bit_layer_with_a_gradient(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, qlora=True)
    trainer = build_trainer(config, gather_material(config, read_pair_files(config)), lambda _: None)
    trainer.evaluate()
    trainer.model.train()
    trainer.compute_loss(trainer.model, dict(next(iter(trainer.get_train_dataloader())))).backward()
    adapters = {name: parameter for name, parameter in trainer.model.named_parameters() if "lora_B" in name}
    assert len(adapters) == 21
    assert [name for name, parameter in adapters.items() if parameter.grad is None or not parameter.grad.any()] == []


def test_a_missing_library_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "find_spec", lambda _: None)
    with pytest.raises(QuantizationUnavailableError, match="install the extra `train`"):
        lora.require_bitsandbytes()


def test_the_paged_optimizer_pages_on_a_gpu_and_is_plain_8_bit_on_a_cpu() -> None:
    placements = [Placement(device=device, dtype=torch.float32, quantization="nf4") for device in ("cuda", "cpu")]
    chosen = [choose_optimizer(Optimizer.PAGED_ADAMW_8BIT, placement) for placement in placements]
    assert chosen == [Optimizer.PAGED_ADAMW_8BIT, Optimizer.ADAMW_8BIT]
