"""Weights that cannot be served end their worker for good, with a sentence that says what to use instead."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs
from transformers import AutoModelForCausalLM

from models.settings import read_settings
from workers import serving
from workers.engine import engine as engines
from workers.engine.architectures import REFUSED_KINDS
from workers.engine.errors import EngineError
from workers.engine.prompt_counter import PromptCounter
from workers.errors import FINAL_CODE, ServingError, ShortageError, choose_end_code
from workers.weights.description import RegisteredNames

# What transformers asks of a drafter's config.
DRAFTER = {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0, "num_kv_shared_layers": 30}
# Configs of kinds that are none of those that are served, and of one that is served otherwise.
OTHERS: dict[str, dict[str, object]] = {
    "gpt2": {},
    "mamba": {},
    "gemma3_text": {"use_bidirectional_attention": True},
    "gemma4_text": {"use_bidirectional_attention": "all"},
}
KINDS: dict[str, dict[str, object]] = {
    **{kind: {} for refused in REFUSED_KINDS for kind in refused.kinds},
    "gemma4_assistant": {"text_config": DRAFTER},
    **OTHERS,
}


@pytest.fixture
def build(tiny_weights: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes a folder whose config is of a kind; its tensors are never read."""

    def build_kind(kind: str) -> Path:
        folder = Path(shutil.copytree(tiny_weights, tmp_path / kind))
        (folder / "config.json").write_text(json.dumps({"model_type": kind, **KINDS[kind]}))
        return folder

    return build_kind


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], object]:
    """Return what loads weights as a worker process does, for a name that no registry knows."""
    monkeypatch.setattr(serving, "open_transaction", lambda _settings: nullcontext())
    monkeypatch.setattr(serving, "resolve_name", lambda settings, _session: settings)
    monkeypatch.setattr(serving, "read_names", lambda _session: RegisteredNames({}, {}))
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


def test_weights_of_llama_cpp_end_the_worker_for_good(load: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "gemma.gguf").write_bytes(b"GGUF")
    for named in (tmp_path, tmp_path / "gemma.gguf", Path("google/gemma-3-1b-it-qat-q4_0-gguf")):
        with pytest.raises(ServingError, match=r"gguf is a GGUF file.*; name the safetensors") as caught:
            load(named)
        assert choose_end_code(caught.value) == FINAL_CODE


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
