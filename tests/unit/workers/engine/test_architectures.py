"""Weights that cannot be served end their worker for good, with a sentence that says what to use instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GPT2Config,
    GptOssConfig,
    PaliGemmaConfig,
    RecurrentGemmaConfig,
    T5GemmaConfig,
)

from models.settings import read_settings
from workers import serving
from workers.engine import engine as engines
from workers.engine.architectures import translate_errors
from workers.engine.errors import EngineError, UnsupportedWeightsError
from workers.engine.prompt_counter import PromptCounter
from workers.errors import FINAL_CODE, ServingError, ShortageError, choose_end_code

SIZES = {
    "vocab_size": 32_768,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
KINDS: dict[str, Callable[[], Any]] = {
    "recurrent_gemma": lambda: AutoModelForCausalLM.from_config(
        RecurrentGemmaConfig(**SIZES, lru_width=32, attention_window_size=32)
    ),
    "gemma4_text": lambda: AutoModelForCausalLM.from_config(
        Gemma4TextConfig(**SIZES, vocab_size_per_layer_input=1024, hidden_size_per_layer_input=8)
    ),
    "t5gemma": lambda: AutoModelForSeq2SeqLM.from_config(
        T5GemmaConfig(encoder=dict(SIZES), decoder=dict(SIZES), vocab_size=SIZES["vocab_size"])
    ),
    "paligemma": lambda: AutoModelForImageTextToText.from_config(
        PaliGemmaConfig(
            text_config={"model_type": "gemma", **SIZES},
            vision_config={"model_type": "siglip_vision_model", **VISION, "image_size": 28, "patch_size": 14},
            projection_dim=32,
        )
    ),
    # Its attention has sinks.
    "gpt_oss": lambda: AutoModelForCausalLM.from_config(GptOssConfig(**SIZES, num_local_experts=2)),
    # Its config has no key heads.
    "gpt2": lambda: AutoModelForCausalLM.from_config(
        GPT2Config(vocab_size=SIZES["vocab_size"], n_embd=32, n_layer=1, n_head=2)
    ),
    # EmbeddingGemma, whose tokens also see what follows them.
    "gemma3_text": lambda: AutoModelForCausalLM.from_config(
        Gemma3TextConfig(**SIZES, use_bidirectional_attention=True)
    ),
}


@pytest.fixture
def build(tiny_weights: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes random weights of a kind."""

    def build_kind(kind: str) -> Path:
        folder = Path(shutil.copytree(tiny_weights, tmp_path / kind))
        KINDS[kind]().save_pretrained(folder)
        return folder

    return build_kind


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], object]:
    """Return what loads weights as a worker process does, for a name that no registry knows."""
    monkeypatch.setattr(serving, "open_transaction", lambda _settings: nullcontext())
    monkeypatch.setattr(serving, "resolve_name", lambda settings, _session: settings)
    return lambda folder: serving.load_served(read_settings(weights=str(folder), database_url="postgresql://unused"))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_a_kind_that_cannot_be_served_end_the_worker_for_good(
    build: Callable[[str], Path], load: Callable[[Path], object], kind: str
) -> None:
    with pytest.raises(ServingError, match=rf"of the kind {kind}, .*; name .* instead") as caught:
        load(build(kind))
    assert choose_end_code(caught.value) == FINAL_CODE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_a_kind_that_cannot_be_served_are_not_planned_for_either(
    build: Callable[[str], Path], kind: str
) -> None:
    with pytest.raises(EngineError, match=f"of the kind {kind}, "):
        PromptCounter(str(build(kind)))


def fail_with(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such attention\nin these"), "no such attention"),
        (ImportError("timm is missing"), "timm is missing"),
        (RuntimeError("size mismatch"), "size mismatch"),
        (NotImplementedError(), r"NotImplementedError\(\)"),
    ],
)
@pytest.mark.parametrize(("place", "name"), [(AutoModelForCausalLM, "from_pretrained"), (engines, "GenerationLoop")])
def test_whatever_else_transformers_cannot_load_ends_the_worker_for_good(
    tiny_weights: Path,
    load: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
    place: object,
    name: str,
) -> None:
    monkeypatch.setattr(place, name, fail_with(error))
    with capture_logs() as logs, pytest.raises(ServingError, match=f"cannot be loaded: {reason}$") as caught:
        load(tiny_weights)
    assert choose_end_code(caught.value) == FINAL_CODE
    assert [entry["exc_info"] for entry in logs if entry["event"] == "weights_not_loaded"] == [True]


def test_an_error_of_another_kind_names_kinds_that_are_served() -> None:
    message = r"of the kind mamba, .* \(no cache\); name .* instead"
    with pytest.raises(UnsupportedWeightsError, match=message), translate_errors("mamba", "weights"):
        raise TypeError("no cache")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Some modules are dispatched on the CPU or the disk. Make sure you have enough GPU RAM to fit"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_shortage_of_memory_does_not_end_the_worker_for_good(
    tiny_weights: Path, load: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail_with(error))
    with pytest.raises(ShortageError, match="does not fit the free memory") as caught:
        load(tiny_weights)
    assert choose_end_code(caught.value) != FINAL_CODE
