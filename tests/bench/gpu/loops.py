"""Runs the same requests through our generation loop and through ``generate_batch``, with one setting changed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import CompileConfig, ContinuousBatchingConfig, GenerationConfig

from tests.bench.gpu.limits import synchronize
from workers.engine.batching.loop import GenerationLoop
from workers.engine.batching.request import GenerationOutcome, Request
from workers.engine.batching.sizing import BATCH_TOKENS, PAGE_TOKENS
from workers.engine.fused_norm import fuse_norms
from workers.engine.ragged_attention import RAGGED
from workers.generation import GenerationParams

# Pages beside those of the requests: each kind of layers takes whole sectors of several pages.
ROUNDING_PAGES = 16
# Seconds after which a request that has not been answered counts as lost: the loop hangs.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a batch.

    Args:
        name: as tables print it.
        way: our loop, or transformers' own.
        attention: of ``generate_batch``, as transformers names it; our loop has its own.
        kernel: which of PyTorch's own attention kernels is left on; None leaves the choice to PyTorch.
        page_tokens: tokens of a page of the cache.
        batch_tokens: most tokens of one forward pass; None takes the engine's.
        options: of continuous batching, besides its sizes.
        compile_mode: of ``torch.compile``; None does not compile.
    """

    name: str
    way: Literal["loop", "generate_batch"] = "loop"
    attention: str = "sdpa"
    kernel: str | None = None
    page_tokens: int = PAGE_TOKENS["cuda"][0]
    batch_tokens: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    compile_mode: str | None = None


def build_batching(setting: Setting, *, sequences: int, tokens: int) -> ContinuousBatchingConfig:
    """Return sizes for so many requests of so many tokens each, as the engine would choose them on a GPU."""
    pages = sequences * (math.ceil(tokens / setting.page_tokens) + 1) + ROUNDING_PAGES
    switches = {"use_cuda_graph": False, "use_async_batching": False, **setting.options}
    return ContinuousBatchingConfig(
        page_size=setting.page_tokens,
        num_blocks=pages,
        max_batch_tokens=setting.batch_tokens or max(BATCH_TOKENS["cuda"], sequences),
        max_requests_per_batch=sequences,
        max_memory_percent=0.9,
        **switches,
    )


@contextmanager
def open_loop(network: Any, batching: ContinuousBatchingConfig) -> Iterator[GenerationLoop]:
    """Run the loop for the length of a block; without a tokenizer, so that no request may have stop strings."""
    # As the engine does on a GPU.
    fuse_norms(network)
    threads = torch.get_num_threads()
    loop = GenerationLoop(
        network,
        tokenizer=None,
        batching=batching,
        share_threads=lambda: threads,
    )
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


def submit(loop: GenerationLoop, prompt: Sequence[int], *, new_tokens: int, device: str, **options: Any) -> Request:
    """Queue a greedy request that nothing ends before its last token, unless the options say so."""
    params = GenerationParams(do_sample=False, max_new_tokens=new_tokens)
    request = Request(list(prompt), params, eos_ids=frozenset(), device=device, **options)
    loop.submit(request)
    return request


def run_loop(
    loop: GenerationLoop, prompts: Sequence[Sequence[int]], *, new_tokens: int, device: str, seconds: float
) -> list[GenerationOutcome]:
    """Return what the loop makes of prompts that come together, cut after so many seconds."""
    deadline = time.monotonic() + seconds
    requests = [submit(loop, prompt, new_tokens=new_tokens, device=device, deadline=deadline) for prompt in prompts]
    return [request.future.result(timeout=seconds + PATIENCE_SECONDS) for request in requests]


@contextmanager
def use_kernel(name: str | None) -> Iterator[None]:
    """Leave one of PyTorch's attention kernels on for the length of a block, in every thread."""
    switches = {
        "flash": torch.backends.cuda.enable_flash_sdp,
        "efficient": torch.backends.cuda.enable_mem_efficient_sdp,
        "cudnn": torch.backends.cuda.enable_cudnn_sdp,
        "math": torch.backends.cuda.enable_math_sdp,
    }
    try:
        if name is not None:
            for kernel, switch in switches.items():
                switch(kernel == name)
        yield
    finally:
        for switch in switches.values():
            switch(True)


def measure(
    network: Any,
    setting: Setting,
    prompts: Sequence[Sequence[int]],
    *,
    new_tokens: int,
    device: str,
    seconds: float,
) -> dict[str, float | int | bool]:
    """Return rates of requests that come together: of all tokens, and of those after each one's first.

    Args:
        network: the weights.
        setting: how they are run.
        prompts: of the requests.
        new_tokens: of each.
        device: where the weights are.
        seconds: after which our loop is cut; its rates are then of what it had done.
    """
    run = _measure_loop if setting.way == "loop" else _measure_generate_batch
    network.set_attn_implementation(RAGGED if setting.way == "loop" else setting.attention)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with use_kernel(setting.kernel):
        first, whole, tokens = run(network, setting, prompts, new_tokens=new_tokens, device=device, seconds=seconds)
    values: dict[str, float | int | bool] = {
        "tokens_per_second": round(tokens / whole, 1),
        "prefill_seconds": round(first, 3),
        "seconds": round(whole, 3),
        "is_cut": tokens < len(prompts) * new_tokens,
    }
    if whole > first and not values["is_cut"]:
        values["decode_tokens_per_second"] = round((tokens - len(prompts)) / (whole - first), 1)
        values["step_ms"] = round(1000 * (whole - first) / (new_tokens - 1), 2)
    if device == "cuda":
        values["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return values


def _measure_loop(
    network: Any, setting: Setting, prompts: Any, *, new_tokens: int, device: str, seconds: float
) -> tuple[float, float, int]:
    batching = build_batching(setting, sequences=len(prompts), tokens=len(prompts[0]) + new_tokens)
    with open_loop(network, batching) as loop:
        # Kernels are found and loaded at their first call.
        run_loop(loop, prompts[:2], new_tokens=4, device=device, seconds=seconds)
        taken = []
        for asked in (1, new_tokens):
            synchronize(device)
            started = time.perf_counter()
            outcomes = run_loop(loop, prompts, new_tokens=asked, device=device, seconds=seconds)
            synchronize(device)
            taken.append(time.perf_counter() - started)
    return taken[0], taken[1], sum(len(outcome.tokens) for outcome in outcomes)


def _measure_generate_batch(
    network: Any, setting: Setting, prompts: Any, *, new_tokens: int, device: str, seconds: float
) -> tuple[float, float, int]:
    compiling = {} if setting.compile_mode is None else {"compile_config": CompileConfig(mode=setting.compile_mode)}
    generation = GenerationConfig(
        do_sample=False, max_new_tokens=new_tokens, eos_token_id=-1, pad_token_id=0, **compiling
    )
    batching = build_batching(setting, sequences=len(prompts), tokens=len(prompts[0]) + new_tokens)
    taken = []
    try:
        # The manager is kept from one call to the next, so that graphs and kernels of the first serve the others.
        for asked in (4, 1, new_tokens):
            synchronize(device)
            started = time.perf_counter()
            outputs = network.generate_batch(
                [list(prompt) for prompt in prompts],
                generation_config=generation,
                continuous_batching_config=batching,
                max_new_tokens=asked,
                persistent_manager=True,
            )
            synchronize(device)
            taken.append(time.perf_counter() - started)
            failed = [output.error for output in outputs.values() if output.error is not None]
            if failed or len(outputs) < len(prompts):
                raise RuntimeError(f"{len(outputs)} of {len(prompts)} answered, {len(failed)} failed: {failed[:1]}")
    finally:
        network.destroy_cached_continuous_batching_manager()
    return taken[1], taken[2], sum(len(output.generated_tokens) for output in outputs.values())
