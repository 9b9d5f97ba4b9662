"""Compares a GPU with a CPU: greedy tokens in float32, finite numbers in 16 bits, and the engine as a whole."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.bench.gpu.loops import build_batching, open_loop, run_loop
from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder
from tests.bench.gpu.settings import LOOP
from tests.bench.gpu.shapes import build_network, make_prompts
from tests.tiny_gemma import build_tiny_gemma
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.generation import GenerationParams, Part, Prompt, Turn

# Prompt lengths as parts of a window of attention: two within it, one that leaves it while it decodes, one beyond.
WINDOW_PARTS = (0.02, 0.4, 0.98, 1.3)
NEW_TOKENS = 24
QUANTIZATIONS = ("none", "int8", "nf4")
PROMPT = Prompt((Turn("user", (Part("The river rose by four metres.", is_untrusted=True),)),))
GREEDY = GenerationParams(do_sample=False, max_new_tokens=16)


def check_tokens(plan: BenchPlan, recorder: Recorder) -> None:
    """Record how many greedy tokens of our loop in float32 are those of transformers' ``generate`` on a CPU."""
    torch.set_float32_matmul_precision("highest")
    network = build_network(plan.small, dtype=torch.float32, device=plan.device)
    prompts = [
        make_prompts(1, max(int(part * plan.small.window), 4), plan.small.vocabulary, seed=seed)[0]
        for seed, part in enumerate(WINDOW_PARTS)
    ]
    with recorder.catch("greedy float32"):
        expected = generate_on_cpu(copy.deepcopy(network).cpu(), prompts)
        found = generate_in_loop(network, prompts, device=plan.device)
        for prompt, wanted, tokens in zip(prompts, expected, found, strict=True):
            same = count_same(wanted, tokens)
            recorder.add(
                "greedy float32",
                prompt_tokens=len(prompt),
                same=same,
                of=len(wanted),
                distinct=len(set(wanted)),
                is_equal=wanted == tokens,
            )


def generate_on_cpu(network: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return greedy tokens of each prompt alone, by transformers' own ``generate``."""
    found = []
    for prompt in prompts:
        ids = torch.tensor([list(prompt)])
        output = network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        found.append(output[0, ids.shape[1] :].tolist())
    return found


def generate_in_loop(network: Any, prompts: Sequence[Sequence[int]], *, device: str) -> list[list[int]]:
    """Return greedy tokens of prompts that share our loop's batch."""
    tokens = max(map(len, prompts)) + NEW_TOKENS
    with open_loop(network, build_batching(LOOP, sequences=len(prompts), tokens=tokens)) as loop:
        outcomes = run_loop(loop, prompts, new_tokens=NEW_TOKENS, device=device, seconds=120.0)
    return [outcome.tokens for outcome in outcomes]


def count_same(wanted: Sequence[int], found: Sequence[int]) -> int:
    """Return how many tokens are the same before the first that is not."""
    return next(
        (place for place, pair in enumerate(zip(wanted, found, strict=False)) if pair[0] != pair[1]), len(found)
    )


def check_finite(plan: BenchPlan, recorder: Recorder) -> None:
    """Record whether logits are finite in 16 bits, and how far they are from those of float32."""
    prompt = torch.tensor(make_prompts(1, plan.prompt_tokens, plan.small.vocabulary), device=plan.device)
    exact = read_logits(build_network(plan.small, dtype=torch.float32, device=plan.device), prompt)
    for dtype in (torch.float16, torch.bfloat16):
        with recorder.catch(str(dtype)):
            network = build_network(plan.small, dtype=dtype, device=plan.device)
            logits = read_logits(network, prompt)
            (tokens,) = generate_in_loop(network, prompt.tolist(), device=plan.device)
            recorder.add(
                str(dtype),
                is_finite=bool(torch.isfinite(logits).all()),
                largest=float(logits.abs().max()),
                relative_error=float((logits - exact).norm() / exact.norm()),
                loop_tokens=len(tokens),
                is_finished=len(tokens) == NEW_TOKENS,
            )


@torch.inference_mode()
def read_logits(network: Any, prompt: torch.Tensor) -> torch.Tensor:
    """Return the logits (positions, vocabulary) of the last positions of a prompt (1, tokens), in float32."""
    logits: torch.Tensor = network(input_ids=prompt, logits_to_keep=32).logits[0]
    return logits.float()


def check_engine(plan: BenchPlan, recorder: Recorder) -> None:
    """Record whether the whole engine loads a small folder of weights and answers, in each quantization."""
    with tempfile.TemporaryDirectory() as folder:
        build_tiny_gemma(Path(folder))
        for quantization in QUANTIZATIONS[: 1 if plan.is_dry else None]:
            with recorder.catch(f"engine {quantization}"):
                ask_engine(folder, plan.device, quantization, recorder)


def ask_engine(folder: str, device: str, quantization: Any, recorder: Recorder) -> None:
    """Record what an engine answers greedily and by chance, with beams, and as a score."""
    config = EngineConfig(weights=folder, device=device, quantization=quantization, slots=4)
    with closing(load_engine(config)) as engine:
        asked = {
            "greedy": lambda: engine.generate(PROMPT, GREEDY).text,
            "sampled": lambda: engine.generate(PROMPT, replace(GREEDY, do_sample=True, seed=1)).text,
            "beams": lambda: engine.generate(PROMPT, replace(GREEDY, num_beams=2)).text,
            "score": lambda: engine.score_continuations(PROMPT, ["four metres"])[0],
        }
        first = asked["greedy"]()
        for name, ask in asked.items():
            with recorder.catch(f"engine {quantization}, {name}"):
                answer = ask()
                recorder.add(f"engine {quantization}, {name}", answer=answer, is_repeatable=answer == ask())
        # Beams and scores use the same weights beside the loop, and must leave them as they are.
        recorder.add(f"engine {quantization}, greedy after that", is_equal=asked["greedy"]() == first)
