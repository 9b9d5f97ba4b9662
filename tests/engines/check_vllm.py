"""The conformance tests on the real vLLM with the real weights, in float32 on a CPU; one server has base and adapters.

``GISTMILL_VLLM`` names the Python of an environment with vLLM.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from models.settings import read_settings
from tests.conftest import wait_until
from tests.engine_conformance import GREEDY, HOT, TEXTS, EngineConformance, Reference
from tests.engines.servers import serve
from workers.engine.remote.attach import RemoteConfig, attach_engine
from workers.engine.remote.remote_engine import RemoteEngine
from workers.generation import FinishReason, Part, Prompt, TextGenerator, Turn
from workers.local.home import free_ports
from workers.local.vllm import ServedName, build_command, check_vllm, choose_environment
from workers.weights.packaged import require_packaged_adapter

BASE = "gemma-3-270m"
OPTIONS = "--enforce-eager"


@dataclass
class VllmServer:
    """Running server with a base and two adapters."""

    root: str
    weights: Path
    adapters: dict[str, Path]

    def attach(self, name: str) -> RemoteEngine:
        """Return an engine for one of its names."""
        config = RemoteConfig((f"{self.root}/v1",), model=name)
        return attach_engine(config, self.weights, adapter=self.adapters.get(name), hashes={})

    def read_metric(self, name: str) -> float:
        """Return a metric, summed over labels."""
        lines = httpx.get(f"{self.root}/metrics", trust_env=False).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vllm:{name}{{"))


@pytest.fixture(scope="session")
def random_adapter(real_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that changes most tokens."""
    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_pretrained(real_weights)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def vllm(real_weights: Path, random_adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A server as a worker starts it, with a base and two adapters."""
    settings = read_settings(
        dtype="float32", quantization="none", context_tokens=2048, slots=16, vllm_options=OPTIONS, kv_cache_gb=1
    )
    check_vllm(settings)
    adapters = {"summaries": require_packaged_adapter(), "random": random_adapter}
    folders: dict[str, Path | None] = {BASE: None, **adapters}
    served = [ServedName(name, real_weights, folder) for name, folder in folders.items()]
    (port,) = free_ports(1)
    environment = [f"{name}={value}" for name, value in choose_environment(settings, 0).items()]
    command = ["env", *environment, *build_command(settings, served, port=port, gpus=0)]
    log = tmp_path_factory.mktemp("vllm") / "log"
    root = f"http://127.0.0.1:{port}"
    with serve(command, root, log):
        yield VllmServer(root, real_weights, adapters)


class TestVllm(EngineConformance):
    """vLLM on a CPU."""

    # It refuses temperatures above 2.
    hot = replace(HOT, temperature=2.0)

    @pytest.fixture
    def generator(self, vllm: VllmServer) -> Iterator[TextGenerator]:
        engine = vllm.attach(BASE)
        yield engine
        engine.close()

    def test_a_cancelled_request_frees_its_place_in_the_batch(self, generator: TextGenerator, vllm: VllmServer) -> None:
        self.test_a_cancelled_request_ends(generator)
        wait_until(lambda: vllm.read_metric("num_requests_running") == 0, "nothing runs")

    @pytest.mark.timeout(3600)
    def test_twenty_real_prompts_get_the_tokens_of_plain_generate(
        self, generator: TextGenerator, reference: Reference, shared_data: Path
    ) -> None:
        prompts = [self.ask(generator, text) for text in read_texts(shared_data)]
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda prompt: generator.generate(prompt, GREEDY).text, prompts))
        equal = [
            text == reference.tokenizer.decode(reference.generate(prompt, 24))
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        print(f"greedy texts equal to generate: {sum(equal)} of {len(equal)}")
        # Two tokens of nearly equal likelihood may change places in another order of sums.
        assert sum(equal) >= 19


def read_texts(folder: Path) -> list[str]:
    """Return the beginnings of twenty documents."""
    with (folder / "kaggle_winning_solutions_methods.csv").open(encoding="utf-8", newline="") as file:
        writeups = [row["writeup"] for row in csv.DictReader(file) if len(row["writeup"]) > 2000]
    return [writeup[: 100 + 40 * number] for number, writeup in enumerate(writeups[:20])]


def test_one_server_gives_three_names_the_tokens_of_each_alone(vllm: VllmServer, reference: Reference) -> None:
    engines = {name: vllm.attach(name) for name in (BASE, *vllm.adapters)}
    prompt = Prompt((Turn("user", (Part(TEXTS[0], is_untrusted=True),)),), engines[BASE].prompt_format)
    with ThreadPoolExecutor(12) as pool:
        names = [name for name in engines for _ in range(4)]
        texts = list(pool.map(lambda name: engines[name].generate(prompt, GREEDY).text, names))
    expected = {BASE: reference.tokenizer.decode(reference.generate(prompt, 24))}
    for name, folder in vllm.adapters.items():
        network = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(vllm.weights), folder
        ).merge_and_unload()
        alone = Reference(reference.tokenizer, network, reference.eos_ids)
        expected[name] = alone.tokenizer.decode(alone.generate(prompt, 24))
    assert texts == [expected[name] for name in names]
    assert len(set(expected.values())) == 3
    for engine in engines.values():
        engine.close()


def test_the_server_is_identified(vllm: VllmServer) -> None:
    engine = vllm.attach("summaries")
    described = engine.facts.describe()
    assert (described["server"], described["prompts"], engine.facts.can_score) == ("vllm", "token ids", True)
    assert engine.context_tokens == 2047
    assert json.dumps(described)
    generation = engine.generate(Prompt((Turn("user", (Part(TEXTS[1]),)),), engine.prompt_format), GREEDY)
    assert generation.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)
    engine.close()
