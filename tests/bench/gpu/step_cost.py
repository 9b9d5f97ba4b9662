"""Counts of one decode step of the loop: operations, waits of the host for the device, and uploads.

They need no GPU: a step of a small batch is limited by the host, which starts one kernel for each operation that is not
a view, and stands still wherever a result or a pageable upload has to be waited for.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from tests.bench.gpu.loops import PATIENCE_SECONDS, build_batching, open_loop
from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder
from tests.bench.gpu.settings import LOOP
from tests.bench.gpu.shapes import Shape, build_network, make_prompts
from workers.engine.batching.request import Request
from workers.generation import GenerationParams

# Methods of a tensor that wait for the device.
WAITS = ("tolist", "item", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero")
# Operations that start no kernel though their schemas do not say so.
UNCOMPUTED = ("_unsafe_view", "empty", "empty_like", "new_empty")
# Steps that are counted at most; the first ones still prefill.
STEPS = 5
SAMPLED = GenerationParams(do_sample=True, temperature=0.8, top_k=64, top_p=0.95, seed=1)
GREEDY = GenerationParams(do_sample=False)


def count_steps(plan: BenchPlan, recorder: Recorder) -> None:
    """Record the counts of a decode step for each number of requests, greedy and sampled."""
    # Counts depend on the layers and not on their width.
    shape = plan.large if plan.device == "cuda" else narrow(plan.large)
    network = build_network(shape, dtype=torch.bfloat16, device=plan.device)
    for sequences in plan.batches:
        for name, params in (("greedy", GREEDY), ("sampled", SAMPLED)):
            title = f"{plan.large.name}, {sequences} requests, {name}"
            with recorder.catch(title):
                recorder.add(title, **count_step(network, shape, plan, sequences=sequences, params=params))


def narrow(shape: Shape) -> Shape:
    """Return a shape with as many layers and heads, of small size."""
    return replace(shape, hidden=64, intermediate=128, head_size=32, vocabulary=1024)


def count_step(
    network: Any, shape: Shape, plan: BenchPlan, *, sequences: int, params: GenerationParams
) -> dict[str, float]:
    """Return the medians of what decode steps of a full batch do."""
    prompts = make_prompts(sequences, plan.prompt_tokens, shape.vocabulary)
    asked = replace(params, max_new_tokens=STEPS)
    counts: list[Counter[str]] = []
    with open_loop(network, build_batching(LOOP, sequences=sequences, tokens=2 * plan.prompt_tokens)) as loop:
        run_step = loop.run_step

        def run_counted(processor: Any, bootstrapping: bool) -> bool:
            states = processor.scheduler.active_requests.values()
            if len(states) < sequences or any(not state.generated_tokens for state in states):
                return bool(run_step(processor, bootstrapping))
            # The tokens that the runner has read already; on the host, whatever the device.
            tokens = processor.inputs_and_outputs.output_ids
            with count_operations(plan.device, on_host=tokens.data_ptr()) as found:
                continues = bool(run_step(processor, bootstrapping))
            counts.append(found)
            return continues

        loop.run_step = run_counted
        requests = [Request(prompt, asked, frozenset(), device=plan.device) for prompt in prompts]
        for request in requests:
            loop.submit(request)
        for request in requests:
            request.future.result(timeout=PATIENCE_SECONDS)
    return {
        "steps": len(counts),
        **{name: median(count[name] for count in counts) for name in sorted(set().union(*counts))},
    }


@contextmanager
def count_operations(device: str, *, on_host: int) -> Iterator[Counter[str]]:
    """Count what this thread does within a block: ``operations`` that are no views, ``waits`` and ``uploads``.

    Args:
        device: of the network.
        on_host: address of a tensor whose reading is no wait.
    """
    found: Counter[str] = Counter(operations=0, waits=0, uploads=0)
    with OperationCounter(found), patch_tensors(found, on_host), catch_synchronizations(found, device):
        yield found


class OperationCounter(TorchDispatchMode):
    """Counts operations that compute or copy; a view starts no kernel."""

    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self._found = found

    def __torch_dispatch__(self, operation: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and count it."""
        self._found["operations"] += not is_view(operation)
        return operation(*args, **(kwargs or {}))


def is_view(operation: Any) -> bool:
    """Return whether an operation only names memory: its input's, or new memory that is left as it is."""
    returned = operation._schema.returns
    is_alias = bool(returned) and returned[0].alias_info is not None and not returned[0].alias_info.is_write
    return is_alias or operation.overloadpacket.__name__ in UNCOMPUTED


@contextmanager
def patch_tensors(found: Counter[str], on_host: int) -> Iterator[None]:
    """Count this thread's calls that wait for the device, and its uploads of lists from memory that is not pinned."""
    thread, make, norm = threading.get_ident(), torch.tensor, torch.nn.functional.rms_norm

    def count(name: str, function: Callable[..., Any], is_counted: Callable[..., bool]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            found[name] += threading.get_ident() == thread and is_counted(*args, **options)
            return function(*args, **options)

        return call

    def normalize(*args: Any, **options: Any) -> torch.Tensor:
        # One kernel on a GPU, and several operations on a CPU.
        found["operations"] += threading.get_ident() == thread
        with _disable_current_modes():
            return norm(*args, **options)

    torch.nn.functional.rms_norm = normalize
    torch.tensor = count("uploads", make, lambda *_args, device=None, **_: device is not None)
    methods = {
        name: count("waits", getattr(torch.Tensor, name), lambda tensor, **_: tensor.data_ptr() != on_host)
        for name in WAITS
    }
    for name, method in methods.items():
        setattr(torch.Tensor, name, method)
    try:
        yield
    finally:
        torch.tensor, torch.nn.functional.rms_norm = make, norm
        for name in methods:
            delattr(torch.Tensor, name)


@contextmanager
def catch_synchronizations(found: Counter[str], device: str) -> Iterator[None]:
    """On a GPU, count the synchronizations that CUDA itself reports as ``synchronizations``."""
    if device != "cuda":
        yield
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
    found["synchronizations"] = sum("synchroniz" in str(warning.message) for warning in caught)
