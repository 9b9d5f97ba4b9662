"""The command line of a vLLM server, from the settings and the names that it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.settings import read_settings
from tests.fake_vllm import write_fake_vllm
from workers.errors import ServingError
from workers.local.vllm import ServedName, build_command, check_vllm, choose_environment

WEIGHTS = Path("/weights/gemma")
BASE = ServedName("gemma", WEIGHTS, None)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """The folder of an adapter whose layers have rank 6, one of them 12."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 6, "rank_pattern": {"q_proj": 12}}))
    return tmp_path


def build(*served: ServedName, gpus: int = 1, **settings: object) -> list[str]:
    return build_command(read_settings(vllm="/opt/vllm/bin/python", **settings), served or [BASE], port=8001, gpus=gpus)


def read_option(command: list[str], option: str) -> str | None:
    return command[command.index(option) + 1] if option in command else None


def test_the_settings_become_options(adapter: Path) -> None:
    command = build(slots=32, context_tokens=4096, kv_cache_gb=2, gpus=2, dtype="bfloat16", quantization="fp8")
    assert command[:5] == ["/opt/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model", str(WEIGHTS)]
    options = {
        "--served-model-name": "gemma",
        "--host": "127.0.0.1",
        "--port": "8001",
        "--max-num-seqs": "32",
        "--max-model-len": "4096",
        "--tensor-parallel-size": "2",
        "--kv-cache-memory-bytes": str(2**30),
        "--dtype": "bfloat16",
        "--quantization": "fp8",
    }
    assert {option: read_option(command, option) for option in options} == options


def test_what_no_setting_says_is_left_to_vllm_but_room_for_the_verifier() -> None:
    command = build()
    assert read_option(command, "--max-model-len") == "auto"
    assert read_option(command, "--gpu-memory-utilization") == "0.85"
    assert read_option(command, "--dtype") == "auto"
    absent = ("--quantization", "--tensor-parallel-size", "--enable-lora", "--kv-cache-memory-bytes")
    assert not set(absent) & set(command)


def test_one_server_has_the_base_and_its_adapters_and_places_for_the_workers_of_all(adapter: Path) -> None:
    command = build(BASE, ServedName("reports", WEIGHTS, adapter), ServedName("letters", WEIGHTS, adapter), slots=8)
    modules = [json.loads(word) for word in command if word.startswith("{")]
    assert modules == [{"name": name, "path": str(adapter)} for name in ("reports", "letters")]
    assert read_option(command, "--max-lora-rank") == "16"
    assert read_option(command, "--max-loras") == "2"
    assert read_option(command, "--max-num-seqs") == "24"


def test_on_a_cpu_an_empty_place_follows_the_adapters_because_vllm_applies_the_last_to_the_base(adapter: Path) -> None:
    command = build(BASE, ServedName("reports", WEIGHTS, adapter), gpus=0)
    assert read_option(command, "--max-loras") == "2"


def test_adapters_alone_need_a_name_for_their_base(adapter: Path) -> None:
    assert read_option(build(ServedName("reports", WEIGHTS, adapter)), "--served-model-name") == "base"


@pytest.mark.parametrize(
    ("quantization", "options"),
    [
        ("bf16", ["--dtype", "bfloat16"]),
        ("half", ["--dtype", "float16"]),
        ("nf4", ["--quantization", "bitsandbytes", "--dtype", "auto"]),
        ("none", ["--dtype", "auto"]),
    ],
)
def test_quantizations_have_their_own_words_at_vllm(quantization: str, options: list[str]) -> None:
    assert build(quantization=quantization)[-len(options) :] == options


def test_further_options_come_last_so_that_they_win() -> None:
    command = build(vllm_options="--gpu-memory-utilization 0.5 --enforce-eager")
    assert command[-3:] == ["--gpu-memory-utilization", "0.5", "--enforce-eager"]


def test_on_a_cpu_the_cache_is_an_environment_variable() -> None:
    assert choose_environment(read_settings(kv_cache_gb=1.6), 0)["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert "VLLM_CPU_KVCACHE_SPACE" not in choose_environment(read_settings(), 0)
    assert not {"--gpu-memory-utilization", "--kv-cache-memory-bytes"} & set(build(gpus=0, kv_cache_gb=1))


def test_what_vllm_cannot_do_is_said(adapter: Path) -> None:
    with pytest.raises(ServingError, match="vLLM does not quantize to int8; set GISTMILL_QUANTIZATION to fp8"):
        build(quantization="int8")
    (adapter / "adapter_config.json").write_text('{"r": 1024}')
    with pytest.raises(ServingError, match="the adapter of reports has rank 1024, and vLLM takes 512 at most"):
        build(ServedName("reports", WEIGHTS, adapter))
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(ServingError, match=r"adapter_config\.json cannot be read"):
        build(ServedName("reports", WEIGHTS, adapter))


def test_a_missing_vllm_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = write_fake_vllm(tmp_path)
    check_vllm(read_settings(vllm=fake))
    monkeypatch.setenv("FAKE_VLLM", "missing")
    with pytest.raises(ServingError, match=r"fake-vllm has no vLLM; install it .* and set GISTMILL_VLLM="):
        check_vllm(read_settings(vllm=fake))
    with pytest.raises(ServingError, match=r"GISTMILL_VLLM=/nowhere cannot be run \(No such file or directory\)"):
        check_vllm(read_settings(vllm="/nowhere"))


def test_further_options_that_are_no_command_line_are_refused_by_name() -> None:
    with pytest.raises(ServingError, match="GISTMILL_VLLM_OPTIONS cannot be split into words: no closing quotation"):
        build(vllm_options="--served-model-name 'gemma")
