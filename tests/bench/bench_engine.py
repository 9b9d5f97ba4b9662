"""What batching and fewer bits give on this machine: tokens per second, interleaved, medians of several rounds.

Sixteen real chunks are summarized in float32 one at a time, from sixteen threads at once, and by transformers' own
``generate_batch``; then from sixteen threads with the linear layers in half precision, in int8 and, where the CPU
computes in it, in bfloat16. Speculative tokens speed up one request more than many, so the gain of batching is measured
without them, and that of two lanes against one. The texts of twenty chunks under greedy decoding show what fewer bits
change.

Run: ``python -m tests.bench.bench_engine [--rounds 3] [--tokens 32] [--weights FOLDER]``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

import producer
from producer.sources.reading import read_sources
from producer.sources.source import Source
from workers.engine.config import EngineConfig
from workers.engine.cpu.onednn import has_native_bfloat16
from workers.engine.engine import Engine, load_engine
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.generation import GenerationParams, Prompt
from workers.summarization.prompts import PromptSet
from workers.summarization.splitting import split_document

SAMPLES = Path(producer.__file__).parent / "samples"
CACHE = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
THREADS = 16
# One at a time is slow and steady: fewer prompts say as much.
SINGLE = 4
# Chunks whose greedy texts are compared.
COMPARED = 20
CHUNK_TOKENS = 250
PAGE_TOKENS = 16

Precision = Literal["none", "bf16", "half", "int8"]
FEWER_BITS: tuple[Precision, ...] = ("bf16", "half", "int8") if has_native_bfloat16() else ("half", "int8")


def load(weights: Path, precision: Precision, *, is_speculative: bool = True, lanes: int | None = None) -> Engine:
    """Load the weights with linear layers in a precision."""
    return load_engine(
        EngineConfig(
            weights=str(weights),
            dtype="float32",
            quantization=precision,
            device="cpu",
            slots=THREADS,
            lanes=lanes,
            is_speculative=is_speculative,
        )
    )


def make_prompts(engine: Engine, count: int) -> list[Prompt]:
    """Return prompts around chunks of the samples."""
    prompts = PromptSet("news", engine.prompt_format)
    texts = []
    for source in read_sources([str(SAMPLES)]):
        if isinstance(source, Source):
            split = split_document(
                source.text,
                document_format=source.format,
                splitter="recursive",
                chunk_tokens=CHUNK_TOKENS,
                overlap_tokens=0,
                counter=engine,
            )
            texts += [chunk.read_text(source.text) for chunk in split.chunks]
    return [prompts.render("map", text=text) for text in texts[:count]]


def run_threads(engine: Engine, prompts: Sequence[Prompt], tokens: int, *, threads: int) -> list[tuple[str, int]]:
    """Generate greedily from threads and return each text with its number of tokens."""
    params = GenerationParams(do_sample=False, max_new_tokens=tokens)
    with ThreadPoolExecutor(threads) as pool:
        generations = list(pool.map(lambda prompt: engine.generate(prompt, params), prompts))
    return [(generation.text, generation.completion_tokens) for generation in generations]


def run_batch(network: Any, engine: Engine, prompts: Sequence[Prompt], tokens: int) -> int:
    """Generate with transformers' own batch call and return the number of tokens; the engine encodes the prompts."""
    ends = [engine.weights.tokenizer.encode_plain(stop)[0] for stop in prompts[0].stop]
    ids = [engine.weights.tokenizer.encode_prompt(prompt) for prompt in prompts]
    longest = max(map(len, ids)) + tokens
    outputs = network.generate_batch(
        ids,
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=tokens, eos_token_id=[network.config.eos_token_id, *ends]
        ),
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=PAGE_TOKENS,
            num_blocks=THREADS * (longest // PAGE_TOKENS + 2),
            max_batch_tokens=256,
            max_requests_per_batch=THREADS,
            use_async_batching=False,
            use_cuda_graph=False,
        ),
    )
    return sum(len(output.generated_tokens) for output in outputs.values())


def measure(run: Callable[[], int]) -> float:
    """Return generated tokens per second of one run."""
    started = time.monotonic()
    return run() / (time.monotonic() - started)


def count(generations: Sequence[tuple[str, int]]) -> int:
    """Return how many tokens there are in all."""
    return sum(tokens for _, tokens in generations)


def compare_texts(exact: Sequence[tuple[str, int]], other: Sequence[tuple[str, int]]) -> float:
    """Return the mean ROUGE-L F1 between the texts of two engines."""
    scorer = RougeScorer(["rougeL"])
    return fmean(scorer.score(a, b)["rougeL"].fmeasure for (a, _), (b, _) in zip(exact, other, strict=True))


def main() -> None:
    """Measure everything, print a table, and one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=32, help="most new tokens of every answer")
    parser.add_argument("--weights", type=Path, help="a weights folder; the packaged Gemma 3 270M by default")
    given = parser.parse_args()
    weights = given.weights or ensure_packaged_weights(CACHE / "gemma-3-270m")
    exact, patient = load(weights, "none"), load(weights, "none", is_speculative=False)
    narrow = load(weights, "none", lanes=1)
    engines = {name: load(weights, name) for name in FEWER_BITS}
    plain = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32, attn_implementation="sdpa").eval()
    prompts = make_prompts(exact, COMPARED)
    batch = prompts[:THREADS]
    runs: dict[str, Callable[[], int]] = {
        "one at a time": lambda: count(run_threads(exact, batch[:SINGLE], given.tokens, threads=1)),
        "16 threads": lambda: count(run_threads(exact, batch, given.tokens, threads=THREADS)),
        "16 threads, one lane": lambda: count(run_threads(narrow, batch, given.tokens, threads=THREADS)),
        "one at a time, no guesses": lambda: count(run_threads(patient, batch[:SINGLE], given.tokens, threads=1)),
        "16 threads, no guesses": lambda: count(run_threads(patient, batch, given.tokens, threads=THREADS)),
        "generate_batch": lambda: run_batch(plain, exact, batch, given.tokens),
    }
    for name, engine in engines.items():
        runs[f"16 threads, {name}"] = lambda engine=engine: count(
            run_threads(engine, batch, given.tokens, threads=THREADS)
        )
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            rates[name].append(measure(run))
    texts = {
        name: run_threads(engine, prompts, given.tokens, threads=THREADS)
        for name, engine in [("none", exact), ("no guesses", patient), *engines.items()]
    }
    medians = {name: median(values) for name, values in rates.items()}
    print(f"| {given.tokens} new tokens a chunk | tokens/s, median | from | to |\n|---|---:|---:|---:|")
    for name, values in rates.items():
        print(f"| {name} | {medians[name]:.1f} | {min(values):.1f} | {max(values):.1f} |")
    result = {
        "batched_over_single": medians["16 threads, no guesses"] / medians["one at a time, no guesses"],
        "batched_over_single_guessing": medians["16 threads"] / medians["one at a time"],
        "lanes_over_one": medians["16 threads"] / medians["16 threads, one lane"],
        "guessing_over_not": medians["16 threads"] / medians["16 threads, no guesses"],
        "rouge_l_no_guesses": compare_texts(texts["none"], texts["no guesses"]),
        "engine_over_generate_batch": medians["16 threads"] / medians["generate_batch"],
    }
    for name in engines:
        result[f"{name}_over_fp32"] = medians[f"16 threads, {name}"] / medians["16 threads"]
        result[f"rouge_l_{name}"] = compare_texts(texts["none"], texts[name])
    for engine in (exact, patient, narrow, *engines.values()):
        engine.close()
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))


if __name__ == "__main__":
    main()
