"""Engines over the tiny Gemma."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from tests.shared_data import shared_data  # noqa: F401 - a fixture
from tests.tiny_gemma import build_tiny_gemma
from workers.engine.config import EngineConfig
from workers.engine.engine import Engine, load_engine

# Products of tiny matrices are faster on one thread than the threads are started.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Every random matrix is the same in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def engine(tiny_weights: Path) -> Iterator[Engine]:
    """One engine for all tests that do not change it; small batches, so that prompts are prefilled in pieces."""
    engine = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none", batch_tokens=64))
    yield engine
    engine.close()


@pytest.fixture
def own_engine(tiny_weights: Path) -> Iterator[Engine]:
    """An engine that a test may break."""
    engine = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none", batch_tokens=128))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def base_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights without a chat template."""
    return build_tiny_gemma(tmp_path_factory.mktemp("base") / "gemma", chat=False)


@pytest.fixture(scope="session")
def adapter(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that changes what the tiny Gemma says."""
    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)  # Among random adapters some say nothing at all.
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    adapted.save_pretrained(folder)
    return folder
