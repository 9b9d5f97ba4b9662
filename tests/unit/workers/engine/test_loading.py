from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM

from workers.engine import device, loading
from workers.engine.config import EngineConfig
from workers.engine.cpu.half import Float16Linear
from workers.engine.cpu.int8 import Int8Linear
from workers.engine.cpu.onednn import OneDnnLinear, has_onednn
from workers.engine.device import Placement, choose_dtype, choose_placement
from workers.engine.engine import Engine, load_engine
from workers.engine.errors import InsufficientMemoryError, NotFiniteError, UnsupportedSettingError
from workers.engine.loading import check_finite, load_weights
from workers.generation import GenerationParams, Part, Prompt, Turn
from workers.weights.errors import AdapterMismatchError

PROMPT = Prompt((Turn("user", (Part("The river rose by four metres."),)),))
GREEDY = GenerationParams(do_sample=False, max_new_tokens=16)


@contextmanager
def serve(weights: Path, **settings: Any) -> Iterator[Engine]:
    engine = load_engine(EngineConfig(weights=str(weights), **{"quantization": "none", **settings}))
    try:
        yield engine
    finally:
        engine.close()


def change_tensors(weights: Path, folder: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> Path:
    shutil.copytree(weights, folder)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: change(tensor) for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    return folder


@pytest.mark.parametrize(("has_bfloat16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_computes_in_bfloat16_and_never_in_float16(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bfloat16)
    assert choose_dtype("cuda") is dtype


def test_a_cpu_computes_in_float32() -> None:
    assert choose_dtype("cpu") is torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(UnsupportedSettingError, match="sees no GPU"):
        choose_placement(EngineConfig(weights="x", device="cuda"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": 0}, "slots"),
        ({"context_tokens": 3}, "context_tokens"),
        ({"kv_cache_gb": 0.0}, "kv_cache_gb"),
        ({"batch_tokens": 2}, "batch_tokens"),
    ],
)
def test_a_setting_outside_its_range_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EngineConfig(weights="x", **settings)


def test_bfloat16_weights_can_be_asked_for(tiny_weights: Path) -> None:
    with serve(tiny_weights, dtype="bfloat16") as engine:
        assert engine.weights.network.dtype is torch.bfloat16
        assert engine.generate(PROMPT, GREEDY).completion_tokens == 16


def test_int8_on_a_cpu_quantizes_the_head_and_still_gives_the_same_for_any_batch(tiny_weights: Path) -> None:
    with serve(tiny_weights, quantization="int8", device="cpu") as engine:
        assert isinstance(engine.weights.network.lm_head, Int8Linear | Float16Linear)
        assert engine.generate(PROMPT, GREEDY).completion_tokens == 16


def test_half_precision_on_a_cpu_says_what_float32_says(tiny_weights: Path) -> None:
    with serve(tiny_weights) as exact, serve(tiny_weights, quantization="half", device="cpu") as half:
        assert isinstance(half.weights.network.lm_head, Float16Linear)
        assert half.weights.network.dtype is torch.float32
        assert half.generate(PROMPT, GREEDY).text == exact.generate(PROMPT, GREEDY).text
        assert half.fingerprint != exact.fingerprint


@pytest.mark.skipif(not has_onednn(torch.bfloat16), reason="this CPU has no instructions for bfloat16")
def test_bfloat16_layers_are_computed_between_float32_ones(tiny_weights: Path) -> None:
    with serve(tiny_weights, quantization="bf16", device="cpu") as engine:
        layers = engine.weights.network
        assert isinstance(layers.lm_head, Float16Linear)
        assert isinstance(layers.model.layers[0].up_proj, OneDnnLinear)
        assert layers.dtype is torch.float32
        assert engine.generate(PROMPT, GREEDY).completion_tokens == 16


@pytest.mark.parametrize(("is_native", "quantization"), [(True, "bf16"), (False, "half")])
def test_a_cpu_serves_the_16_bits_that_it_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, is_native: bool, quantization: str
) -> None:
    monkeypatch.setattr(device, "has_native_bfloat16", lambda: is_native)
    monkeypatch.setattr(device, "has_onednn", lambda _dtype: True)
    config = EngineConfig(weights="x", device="cpu")
    assert choose_placement(config).quantization == quantization


def test_float32_layers_are_packed_and_say_what_transformers_says(tiny_weights: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.float32).eval()
    ids = torch.arange(20).unsqueeze(0)
    with serve(tiny_weights, device="cpu") as engine, torch.inference_mode():
        assert isinstance(engine.weights.network.lm_head, OneDnnLinear)
        logits, expected = engine.weights.network(input_ids=ids).logits, plain(input_ids=ids).logits
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=5e-5)


def test_bfloat16_layers_are_refused_where_the_cpu_has_no_instructions_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "has_onednn", lambda dtype: dtype is not torch.bfloat16)
    config = EngineConfig(weights="x", device="cpu", quantization="bf16")
    with pytest.raises(UnsupportedSettingError, match="set it to half or auto"):
        choose_placement(config)


def test_half_precision_is_refused_where_it_is_a_dtype() -> None:
    config = EngineConfig(weights="x", device="cpu", dtype="bfloat16", quantization="half")
    with pytest.raises(UnsupportedSettingError, match="set dtype instead"):
        choose_placement(config)


def test_bfloat16_on_a_cpu_without_instructions_for_it_is_refused_or_left_to_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "has_onednn", lambda dtype: dtype is torch.float32)
    with pytest.raises(UnsupportedSettingError, match="set it to half or auto"):
        choose_placement(EngineConfig(weights="x", device="cpu", quantization="bf16"))
    assert not choose_placement(EngineConfig(weights="x", device="cpu", dtype="bfloat16")).can_prepack


def test_weights_that_their_file_holds_quantized_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    quantized = shutil.copytree(tiny_weights, tmp_path / "quantized")
    config = json.loads((quantized / "config.json").read_text())
    method = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (quantized / "config.json").write_text(json.dumps(config | method))
    with pytest.raises(UnsupportedSettingError, match="quantized already; name the ones before that"):
        load_weights(EngineConfig(weights=str(quantized)))


def test_nf4_is_served_by_bitsandbytes(tiny_weights: Path) -> None:
    with serve(tiny_weights, quantization="nf4") as engine:
        assert engine.generate(PROMPT, GREEDY).completion_tokens == 16


@pytest.mark.parametrize(("device", "better"), [("cuda", "bfloat16"), ("cpu", "float32")])
def test_weights_that_overflow_are_refused_with_the_dtype_to_use(
    tiny_weights: Path, device: Literal["cpu", "cuda"], better: str
) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.float16)
    network.model.layers[0].mlp.up_proj.weight.data.mul_(1e5)
    placement = Placement(device=device, dtype=torch.float16, quantization="none")
    with pytest.raises(NotFiniteError, match=f"overflow in float16 .*set dtype to {better}"):
        check_finite(network, network.model(input_ids=torch.tensor([[2, 30, 40]])).last_hidden_state, placement)


def test_weights_with_nan_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    broken = change_tensors(tiny_weights, tmp_path / "broken", lambda tensor: tensor * float("nan"))
    with pytest.raises(NotFiniteError, match="check the weights' files"):
        load_weights(EngineConfig(weights=str(broken), quantization="none"))


def test_the_sample_is_cut_to_the_context_of_the_weights(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = shutil.copytree(tiny_weights, tmp_path / "short")
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 128}))
    lengths = []

    def record_length(_network: Any, hidden: torch.Tensor, _placement: Placement) -> None:
        lengths.append(hidden.shape[1])

    monkeypatch.setattr(loading, "check_finite", record_length)
    load_weights(EngineConfig(weights=str(short), quantization="none"))
    assert lengths == [128]


def test_weights_larger_than_memory_are_refused_before_loading(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100_000))
    with pytest.raises(InsufficientMemoryError, match="quantization to int8 or nf4"):
        load_weights(EngineConfig(weights=str(tiny_weights), quantization="none", device="cpu"))


def test_a_cache_too_small_for_any_request_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(UnsupportedSettingError, match="raise kv_cache_gb"):
        load_engine(EngineConfig(weights=str(tiny_weights), quantization="none", kv_cache_gb=1e-6))


def test_the_context_is_what_weights_setting_and_cache_allow(tiny_weights: Path) -> None:
    with serve(tiny_weights) as engine:
        assert engine.context_tokens == 4096
    with serve(tiny_weights, context_tokens=512) as engine:
        assert engine.context_tokens == 512
    # Most of its layers keep a window alone: the memory of 1,000 tokens in all of them takes a request of 2,600.
    with serve(tiny_weights, kv_cache_gb=1000 * 768 / 2**30) as engine:
        assert 2500 < engine.context_tokens < 2700


def test_an_adapter_is_merged_at_load(tiny_weights: Path, adapter: Path) -> None:
    with serve(tiny_weights) as base, serve(tiny_weights, adapter=str(adapter)) as adapted:
        assert not any("lora" in name for name, _ in adapted.weights.network.named_modules())
        assert base.generate(PROMPT, GREEDY).text != adapted.generate(PROMPT, GREEDY).text
        assert base.fingerprint != adapted.fingerprint


def test_merged_weights_say_what_base_and_adapter_said(tiny_weights: Path, adapter: Path) -> None:
    from peft import PeftModel

    apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_weights), adapter)
    with serve(tiny_weights, adapter=str(adapter)) as merged:
        ids = torch.tensor([merged.weights.tokenizer.encode_prompt(PROMPT)])
        with torch.inference_mode():
            difference = apart(input_ids=ids).logits - merged.weights.network(input_ids=ids).logits
        assert difference.abs().max() < 1e-4


def test_an_adapter_can_be_merged_into_quantized_weights(tiny_weights: Path, adapter: Path) -> None:
    with serve(tiny_weights, adapter=str(adapter), quantization="int8", device="cpu") as engine:
        assert isinstance(engine.weights.network.lm_head, Int8Linear | Float16Linear)
        adapted = engine.generate(PROMPT, GREEDY).text
    with serve(tiny_weights, quantization="int8", device="cpu") as engine:
        assert adapted != engine.generate(PROMPT, GREEDY).text


def test_an_adapter_for_other_weights_is_refused(tiny_weights: Path, adapter: Path, tmp_path: Path) -> None:
    foreign = shutil.copytree(adapter, tmp_path / "foreign")
    tensors = {
        name: torch.zeros(tensor.shape[0] + 1, tensor.shape[1])
        for name, tensor in load_file(foreign / "adapter_model.safetensors").items()
    }
    save_file(tensors, foreign / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(AdapterMismatchError, match="does not fit"):
        load_weights(EngineConfig(weights=str(tiny_weights), adapter=str(foreign), quantization="none"))


def test_an_adapter_for_layers_that_are_not_there_is_refused(tiny_weights: Path, adapter: Path, tmp_path: Path) -> None:
    foreign = shutil.copytree(adapter, tmp_path / "foreign")
    config = json.loads((foreign / "adapter_config.json").read_text())
    (foreign / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["c_attn"]}))
    with pytest.raises(AdapterMismatchError, match="does not fit"):
        load_weights(EngineConfig(weights=str(tiny_weights), adapter=str(foreign), quantization="none"))


def test_weights_that_need_code_of_their_own_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    foreign = shutil.copytree(tiny_weights, tmp_path / "foreign")
    config = json.loads((foreign / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Net"}}
    (foreign / "config.json").write_text(json.dumps(config))
    (foreign / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UnsupportedSettingError, match="without running its code"):
        load_weights(EngineConfig(weights=str(foreign)))


def test_gemma_2_with_soft_capped_scores_is_served_too(tiny_weights: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_weights, tmp_path / "two")
    vocabulary = json.loads((tiny_weights / "config.json").read_text())["vocab_size"]
    config = Gemma2Config(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        # Scores far beyond the cap, which without it decide otherwise.
        query_pre_attn_scalar=1,
        attn_logit_softcapping=2.0,
        max_position_embeddings=256,
        initializer_range=0.6,
    )
    Gemma2ForCausalLM(config).save_pretrained(tmp_path / "two")
    with serve(tmp_path / "two") as engine:
        ids = torch.tensor([engine.weights.tokenizer.encode_prompt(PROMPT)])
        network = AutoModelForCausalLM.from_pretrained(tmp_path / "two", attn_implementation="eager")
        output = network.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False)
        expected = engine.weights.tokenizer.decode(output[0, ids.shape[1] :].tolist())
        assert engine.generate(PROMPT, GREEDY).text == expected


@pytest.mark.gpu
def test_a_gpu_serves_gemma_3_in_bfloat16_and_quantized(tiny_weights: Path) -> None:
    for quantization in ("none", "int8", "nf4"):
        with serve(tiny_weights, device="cuda", quantization=quantization) as engine:
            assert engine.weights.placement.dtype is torch.bfloat16
            assert engine.generate(PROMPT, GREEDY).completion_tokens > 0
