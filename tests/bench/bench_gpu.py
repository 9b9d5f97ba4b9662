"""Tokens per second of the engine on a GPU, one setting changed at a time.

The setting that ``load_engine`` takes by itself is measured at several batch sizes; then at the largest of them every
attention kernel, CUDA graphs, asynchronous batching and a compiled forward pass, each against it. The prompts are
random ids, so that the weights do not matter and every answer has the same length.

Examples:
  make bench-gpu WEIGHTS=/weights/gemma-3-4b-it
  python -m tests.bench.bench_gpu --weights google/gemma-3-1b-it --batches 1 16 64 --new 128
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, CompileConfig, ContinuousBatchingConfig, GenerationConfig

from workers.engine.batching.sizing import BATCH_TOKENS, PAGE_TOKENS
from workers.engine.device import choose_dtype

PROMPT_TOKENS = 512
ATTENTIONS = ("sdpa", "flash_attention_2", "flash_attention_3", "kernels-community/flash-attn2")
COMPILE_MODES = ("default", "max-autotune-no-cudagraphs")


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run the loop.

    Args:
        name: as it is printed.
        attention: the kernel.
        options: of transformers' continuous batching, besides its sizes.
        compile_mode: of torch.compile; None does not compile.
    """

    name: str
    attention: str = "sdpa"
    options: dict[str, Any] = field(default_factory=dict)
    compile_mode: str | None = None


BASE = Setting("as the engine runs it", options={"use_cuda_graph": False, "use_async_batching": False})


def list_settings() -> list[Setting]:
    """Return the base and everything that is compared with it."""
    return [
        BASE,
        *(replace(BASE, name=f"attention {name}", attention=name) for name in ATTENTIONS[1:]),
        replace(BASE, name="CUDA graphs", options={**BASE.options, "use_cuda_graph": True}),
        replace(
            BASE,
            name="CUDA graphs, async batching",
            options={"use_cuda_graph": True, "use_async_batching": True},
        ),
        *(replace(BASE, name=f"compile {mode}", compile_mode=mode) for mode in COMPILE_MODES),
    ]


def build_batching(setting: Setting, *, batch: int, new_tokens: int) -> ContinuousBatchingConfig:
    """Return the loop's sizes for a batch of equal requests."""
    pages = batch * ((PROMPT_TOKENS + new_tokens) // PAGE_TOKENS + 2)
    return ContinuousBatchingConfig(
        page_size=PAGE_TOKENS,
        num_blocks=pages,
        max_batch_tokens=max(BATCH_TOKENS["cuda"], batch),
        max_requests_per_batch=batch,
        **setting.options,
    )


def make_prompts(batch: int, vocabulary: int) -> list[list[int]]:
    """Return prompts of random ids, the same in every run."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(10, vocabulary, (batch, PROMPT_TOKENS), generator=generator).tolist()


def measure(network: Any, setting: Setting, *, batch: int, new_tokens: int, rounds: int) -> float:
    """Return new tokens per second: the median of some rounds after one that warms up."""
    prompts = make_prompts(batch, network.config.get_text_config().vocab_size)
    compiling = {} if setting.compile_mode is None else {"compile_config": CompileConfig(mode=setting.compile_mode)}
    generation = GenerationConfig(
        do_sample=False, max_new_tokens=new_tokens, eos_token_id=-1, pad_token_id=0, **compiling
    )
    rates = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        started = time.monotonic()
        outputs = network.generate_batch(
            prompts,
            generation_config=generation,
            continuous_batching_config=build_batching(setting, batch=batch, new_tokens=new_tokens),
        )
        torch.cuda.synchronize()
        tokens = sum(len(each.generated_tokens) for each in outputs.values())
        rates.append(tokens / (time.monotonic() - started))
    return median(rates[1:])


def load(weights: str, attention: str) -> Any:
    """Load weights on the GPU in the dtype that they are served in."""
    config = AutoConfig.from_pretrained(weights)
    dtype = choose_dtype(config.model_type, "cuda")
    return AutoModelForCausalLM.from_pretrained(
        weights, dtype=dtype, attn_implementation=attention, device_map="cuda", use_safetensors=True
    ).eval()


def try_setting(given: argparse.Namespace, setting: Setting, batch: int) -> float | None:
    """Return the rate of a setting, None where it does not run; the reason goes to standard error."""
    network = None
    try:
        network = load(given.weights, setting.attention)
        return measure(network, setting, batch=batch, new_tokens=given.new, rounds=given.rounds)
    except (ImportError, ValueError, RuntimeError, OSError, TypeError) as error:
        print(f"{setting.name}: {str(error).splitlines()[0][:200]}", file=sys.stderr, flush=True)
        return None
    finally:
        del network
        gc.collect()
        torch.cuda.empty_cache()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="google/gemma-3-1b-it", help="a weights folder or a hub id")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64, 128])
    parser.add_argument("--new", type=int, default=128, help="new tokens of every request")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


def main() -> int:
    """Measure every batch size and every setting, print tables, and one line of JSON at the end."""
    given = parse_arguments()
    if not torch.cuda.is_available():
        print("bench-gpu needs a CUDA device, and PyTorch sees none", file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, {given.weights}, {PROMPT_TOKENS} prompt tokens, {given.new} new\n")
    print("| requests in the batch | new tokens/s |\n|---:|---:|")
    by_batch = {batch: try_setting(given, BASE, batch) for batch in given.batches}
    for batch, rate in by_batch.items():
        print(f"| {batch} | {write_rate(rate)} |")
    largest = max(batch for batch, rate in by_batch.items() if rate)
    print(f"\n| {largest} requests | new tokens/s |\n|---|---:|")
    by_setting = {setting.name: try_setting(given, setting, largest) for setting in list_settings()}
    for name, rate in by_setting.items():
        print(f"| {name} | {write_rate(rate)} |")
    print(json.dumps({"by_batch": by_batch, "by_setting": by_setting}))
    return 0


def write_rate(rate: float | None) -> str:
    """Return a rate as it is printed."""
    return "does not run here" if rate is None else f"{rate:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
