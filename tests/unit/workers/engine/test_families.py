"""Every architecture with the vocabulary of real weights says what transformers' own eager attention says."""

from __future__ import annotations

import copy
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    Gemma4UnifiedTextConfig,
    GemmaConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen3Config,
    VaultGemmaConfig,
)

from tests.tiny_gemma import build_tiny_family
from workers.engine.architectures import ARCHITECTURES, FUSED, GENERIC, SCREENED
from workers.engine.batching import model_runner
from workers.engine.batching.sampling import Sampler, sample_tokens
from workers.engine.config import EngineConfig
from workers.engine.cpu.fused_gemma3 import FusedGemma3Layer
from workers.engine.cpu.screened_head import ScreenedHead
from workers.engine.engine import Engine, load_engine
from workers.engine.pretrained import read_vocabulary
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import GenerationParams, Part, Prompt, Turn

# As many as a real vocabulary has at least: the head of a smaller one is never screened.
VOCABULARY = 32_768
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
# Scores far beyond the cap, which without it decide otherwise.
CAPPED = {"query_pre_attn_scalar": 1, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 30.0}
MIXED = ["sliding_attention", "full_attention"]
GEMMA4 = {
    **SIZES,
    "num_hidden_layers": 4,
    "layer_types": MIXED * 2,
    "sliding_window": 32,
    "global_head_dim": 32,
    "hidden_size_per_layer_input": 0,
}
SHARING = {
    **SIZES,
    "num_hidden_layers": 6,
    "num_kv_shared_layers": 3,
    "layer_types": ["sliding_attention", *MIXED] * 2,
    "sliding_window": 32,
    "vocab_size_per_layer_input": VOCABULARY,
    "hidden_size_per_layer_input": 8,
}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma": lambda: GemmaConfig(**SIZES),
    "gemma2": lambda: Gemma2Config(**SIZES, **CAPPED, sliding_window=32),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, query_pre_attn_scalar=16, sliding_window=32),
    "vaultgemma": lambda: VaultGemmaConfig(**SIZES, **CAPPED, sliding_window=32),
    # Networks that scale the logits of their head.
    "granite": lambda: GraniteConfig(**SIZES, logits_scaling=16.0),
    "cohere": lambda: CohereConfig(**SIZES, logit_scale=0.0625),
    "llama": lambda: LlamaConfig(**SIZES, tie_word_embeddings=False),
    "qwen3": lambda: Qwen3Config(**SIZES, tie_word_embeddings=True),
    "mistral": lambda: MistralConfig(**SIZES, sliding_window=32, tie_word_embeddings=False),
    # Most ids have no embedding in every layer, as those of images and sound.
    "gemma3n": lambda: Gemma3nTextConfig(
        **{**SHARING, "vocab_size_per_layer_input": 1024}, laurel_rank=8, altup_num_inputs=2
    ),
    # As 31B: larger heads in layers with full attention, fewer of them, and no projection of their values.
    "gemma4": lambda: Gemma4TextConfig(**GEMMA4, attention_k_eq_v=True, num_global_key_value_heads=1),
    # As E2B: an embedding for each layer, and last layers that share keys.
    "gemma4_small": lambda: Gemma4TextConfig(
        **{**SHARING, "global_head_dim": 32}, use_double_wide_mlp=True, final_logit_softcapping=30.0
    ),
    # As 26B-A4B.
    "gemma4_experts": lambda: Gemma4TextConfig(
        **GEMMA4, enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=32
    ),
    "gemma4_unified": lambda: Gemma4UnifiedTextConfig(
        **{key: value for key, value in GEMMA4.items() if key != "hidden_size_per_layer_input"}
    ),
}
GREEDY = GenerationParams(do_sample=False, max_new_tokens=16)
# From a few tokens to more than a window and a forward pass hold.
PROMPTS = [
    Prompt((Turn("user", (Part(text),)),))
    for text in (
        "The river rose by four metres.",
        "Question: which bridge was closed first?",
        "We trained a single network on eight folds. " * 2,
        "Engineers measured the piers. " * 5,
    )
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what builds the weights of a family once."""
    folders: dict[str, Path] = {}

    def build_once(family: str) -> Path:
        if family not in folders:
            folders[family] = build_tiny_family(tmp_path_factory.mktemp(family) / family, FAMILIES[family]())
        return folders[family]

    return build_once


def serve(weights: Path, **settings: Any) -> Engine:
    return load_engine(EngineConfig(weights=str(weights), **{"quantization": "none", "batch_tokens": 64, **settings}))


def load_reference(weights: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(weights, attn_implementation="eager", dtype=torch.float32).eval()


def continue_greedily(network: Any, engine: Engine, prompt: Prompt, **settings: Any) -> str:
    """Return what transformers' own generation says, with the engine's tokens and ends."""
    ids = torch.tensor([engine.weights.tokenizer.encode_prompt(prompt)])
    output = network.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=GREEDY.max_new_tokens, **settings
    )
    return engine.weights.tokenizer.decode(output[0, ids.shape[1] :].tolist())


def find_greedy_ids(network: Any, weights: Path, prompts: list[Prompt]) -> list[list[int]]:
    tokenizer = PromptTokenizer(read_vocabulary(weights))
    found = []
    for prompt in prompts:
        ids = torch.tensor([tokenizer.encode_prompt(prompt)])
        output = network.generate(ids, do_sample=False, max_new_tokens=GREEDY.max_new_tokens)
        found.append(output[0, ids.shape[1] :].tolist())
    return found


@torch.inference_mode()
def score_plainly(network: Any, engine: Engine, prompt: Prompt, text: str) -> float:
    """Return the log-probability of a text after a prompt, from one forward pass."""
    ids, more = engine.weights.tokenizer.encode_prompt(prompt), engine.weights.tokenizer.encode_plain(text)
    logits = network(torch.tensor([ids + more])).logits[0].log_softmax(-1)
    return sum(float(logits[len(ids) + place - 1, token]) for place, token in enumerate(more))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_says_alone_and_together_what_transformers_says(build: Callable[[str], Path], family: str) -> None:
    network = load_reference(build(family))
    with closing(serve(build(family))) as engine:
        expected = [continue_greedily(network, engine, prompt) for prompt in PROMPTS]
        assert [engine.generate(prompt, GREEDY).text for prompt in PROMPTS] == expected
        with ThreadPoolExecutor(len(PROMPTS)) as pool:
            together = list(pool.map(lambda prompt: engine.generate(prompt, GREEDY).text, PROMPTS))
        assert together == expected
        assert len(set(expected)) == len(PROMPTS)
    with closing(serve(build(family), is_speculative=False)) as engine:
        assert [engine.generate(prompt, GREEDY).text for prompt in PROMPTS[-1:]] == expected[-1:]


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_says_on_a_gpu_what_transformers_says_on_a_cpu(build: Callable[[str], Path], family: str) -> None:
    network, sampled = (
        load_reference(build(family)),
        replace(GREEDY, do_sample=True, temperature=1.0, top_p=1.0, seed=3),
    )
    with closing(serve(build(family), device="cuda", dtype="float32")) as engine, ThreadPoolExecutor(8) as pool:
        expected = [continue_greedily(network, engine, prompt) for prompt in PROMPTS]
        drawn = [engine.generate(prompt, sampled).text for prompt in PROMPTS]
        beside = [pool.submit(engine.generate, prompt, sampled) for prompt in PROMPTS]
        assert list(pool.map(lambda prompt: engine.generate(prompt, GREEDY).text, PROMPTS)) == expected
        assert [future.result().text for future in beside] == drawn


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_sampled_from_the_logits_of_transformers_by_the_layers_that_its_table_names(
    build: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    largest = []

    def record_scores(scores: torch.Tensor, samplers: list[Sampler]) -> list[list[int]]:
        largest.append(scores[-1].topk(3).values.tolist())
        return sample_tokens(scores, samplers)

    monkeypatch.setattr(model_runner, "sample_tokens", record_scores)
    network, params = load_reference(build(family)), GenerationParams(top_k=3, max_new_tokens=1)
    with closing(serve(build(family))) as engine:
        for prompt in PROMPTS:
            engine.generate(prompt, params)
            ids = torch.tensor([engine.weights.tokenizer.encode_prompt(prompt)])
            with torch.inference_mode():
                expected = network(ids).logits[0, -1].topk(3).values
            assert largest.pop() == pytest.approx(expected.tolist(), rel=1e-3)
        is_fused = isinstance(engine.weights.network.model.layers[-1], FusedGemma3Layer)
        is_screened = isinstance(engine.weights.network.get_output_embeddings(), ScreenedHead)
    (architecture,) = (known for known in ARCHITECTURES if network.config.model_type in known.kinds)
    speed = {(True, True): FUSED, (False, True): SCREENED, (False, False): GENERIC}[is_fused, is_screened]
    assert architecture.speed == speed


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "gemma4"])
def test_in_16_bits_logits_are_as_exact_as_those_of_a_plain_forward_pass(
    build: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    recorded: list[torch.Tensor] = []

    def record_scores(scores: torch.Tensor, samplers: list[Sampler]) -> list[list[int]]:
        recorded.append(scores[-1].clone())
        return sample_tokens(scores, samplers)

    monkeypatch.setattr(model_runner, "sample_tokens", record_scores)
    plain = load_reference(build(family)).bfloat16()
    exact = copy.deepcopy(plain).float()
    with closing(serve(build(family), dtype="bfloat16", lanes=1, is_speculative=False)) as engine:
        ids = engine.weights.tokenizer.encode_prompt(PROMPTS[-1])
        engine.generate(PROMPTS[-1], replace(GREEDY, max_new_tokens=6))
    # Each step's logits, given the tokens that were chosen before it.
    found = torch.stack(recorded)
    text = torch.tensor([[*ids, *found.argmax(-1).tolist()]])
    with torch.inference_mode():
        logits, near = (network(text).logits[0, len(ids) - 1 : -1].float() for network in (exact, plain))
    assert (found - logits).norm() < 1.5 * (near - logits).norm()


@pytest.mark.parametrize("family", ["gemma3", "gemma4_small", "llama"])
def test_tokens_that_the_weights_suppress_are_never_generated(
    build: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    folder = Path(shutil.copytree(build(family), tmp_path / family))
    generation_config = json.loads((folder / "generation_config.json").read_text())
    (ids,) = find_greedy_ids(load_reference(folder), folder, PROMPTS[:1])
    (folder / "generation_config.json").write_text(json.dumps({**generation_config, "suppress_tokens": ids[:3]}))
    network = load_reference(folder)
    with closing(serve(folder)) as engine:
        for params, options in ((GREEDY, {}), (replace(GREEDY, num_beams=2), {"num_beams": 2})):
            text = engine.generate(PROMPTS[0], params).text
            assert text == continue_greedily(network, engine, PROMPTS[0], **options)
            assert text != engine.weights.tokenizer.decode(ids)


@pytest.mark.parametrize("family", ["gemma", "gemma2", "gemma4_small", "llama", "qwen3"])
def test_each_family_is_served_by_default_on_a_cpu(build: Callable[[str], Path], family: str) -> None:
    with closing(serve(build(family), device="cpu", quantization="auto")) as engine:
        alone = [engine.generate(prompt, GREEDY).text for prompt in PROMPTS]
        with ThreadPoolExecutor(len(PROMPTS)) as pool:
            together = list(pool.map(lambda prompt: engine.generate(prompt, GREEDY).text, PROMPTS))
    assert together == alone


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_scores_and_searches_as_transformers_does_while_a_request_runs(
    build: Callable[[str], Path], family: str
) -> None:
    network, texts = load_reference(build(family)), [" the northern bridge", " no"]
    with closing(serve(build(family))) as engine, ThreadPoolExecutor(1) as pool:
        for prompt in PROMPTS:
            # Beside a request that runs.
            running = pool.submit(engine.generate, PROMPTS[-1], replace(GREEDY, max_new_tokens=48))
            expected = [score_plainly(network, engine, prompt, text) for text in texts]
            assert engine.score_continuations(prompt, texts) == pytest.approx(expected, abs=1e-2)
            beams = continue_greedily(network, engine, prompt, num_beams=3)
            assert engine.generate(prompt, replace(GREEDY, num_beams=3)).text == beams
            assert running.result().text.startswith(continue_greedily(network, engine, PROMPTS[-1]))


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "qwen3", "gemma3n", "gemma4_small", "gemma4_experts"])
def test_scores_and_beams_are_right_in_the_middle_of_a_forward_pass_of_the_loop_and_after_it(
    build: Callable[[str], Path], family: str
) -> None:
    network, prompt, text = load_reference(build(family)), PROMPTS[-1], " the northern bridge"
    entered, release = threading.Event(), threading.Event()

    def pause_loop(*_: object) -> None:
        if threading.current_thread().name == "generation-loop":
            entered.set()
            release.wait(60)

    with closing(serve(build(family), lanes=1)) as engine, ThreadPoolExecutor(1) as pool:

        def answer_beside_loop() -> tuple[float, str]:
            (score,) = engine.score_continuations(prompt, [text])
            return score, engine.generate(prompt, replace(GREEDY, num_beams=3)).text

        expected = (
            pytest.approx(score_plainly(network, engine, prompt, text), abs=1e-2),
            continue_greedily(network, engine, prompt, num_beams=3),
        )
        engine.weights.network.model.layers[0].register_forward_pre_hook(pause_loop)
        running = pool.submit(engine.generate, PROMPTS[0], GREEDY)
        try:
            assert entered.wait(60)
            assert answer_beside_loop() == expected
        finally:
            release.set()
        assert running.result().text == continue_greedily(network, engine, PROMPTS[0])
        assert answer_beside_loop() == expected


@pytest.mark.filterwarnings(
    "ignore:Model (with|has) `tie_word_embeddings=True`:UserWarning",
    "ignore:Setting `save_embedding_layers` to `True`:UserWarning",
    "ignore:Input and output embeddings are no longer tied:UserWarning",
)
@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_an_adapter_of_a_tied_head_or_embedding_is_served_as_it_was_trained(
    build: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    adapted = get_peft_model(
        load_reference(build("gemma3")), LoraConfig(r=4, target_modules=[target], task_type="CAUSAL_LM")
    )
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(tmp_path)
    with closing(serve(build("gemma3"), adapter=str(tmp_path))) as engine:
        expected = [continue_greedily(adapted.eval(), engine, prompt) for prompt in PROMPTS]
        assert [engine.generate(prompt, GREEDY).text for prompt in PROMPTS] == expected
