"""Checks that requests end when they must, that the loop survives a lack of memory, and that a card can be pinned."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import torch

from tests.bench.gpu.loops import PATIENCE_SECONDS, build_batching, open_loop, run_loop, submit
from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder
from tests.bench.gpu.settings import LOOP
from tests.bench.gpu.shapes import build_network, make_prompts
from workers.generation import FinishReason

# Requests that are ended early ask for so many tokens, many more than they get.
ENDLESS_TOKENS = 4000
# Seconds that they may run.
SHORT_SECONDS = 0.5
SEQUENCES = 4
# Bytes that are left while memory is short: no pass can do with so few.
LEFT_BYTES = 8 << 20
# As the launcher asks for them.
QUERY = ("nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader")
SHOW_CARD = "import torch; print(torch.cuda.device_count(), torch.cuda.get_device_properties(0).uuid)"


def check_endings(plan: BenchPlan, recorder: Recorder) -> None:
    """Record how a cancelled and an overdue request end, and whether one beside them says what it says alone."""
    network = build_network(plan.small, dtype=plan.dtype, device=plan.device)
    prompts = make_prompts(SEQUENCES, plan.prompt_tokens, plan.small.vocabulary)
    batching = build_batching(LOOP, sequences=SEQUENCES, tokens=plan.prompt_tokens + ENDLESS_TOKENS)
    with open_loop(network, batching) as loop, recorder.catch("endings"):
        (alone,) = run_loop(loop, prompts[:1], new_tokens=plan.new_tokens, device=plan.device, seconds=60.0)
        cancelled, now = threading.Event(), time.monotonic()
        beside = submit(loop, prompts[0], new_tokens=plan.new_tokens, device=plan.device)
        ended = {
            FinishReason.CANCELLED: submit(
                loop, prompts[1], new_tokens=ENDLESS_TOKENS, device=plan.device, cancelled=cancelled
            ),
            FinishReason.DEADLINE: submit(
                loop, prompts[2], new_tokens=ENDLESS_TOKENS, device=plan.device, deadline=now + SHORT_SECONDS
            ),
        }
        time.sleep(SHORT_SECONDS)
        cancelled.set()
        asked = time.monotonic()
        for reason, request in ended.items():
            outcome = request.future.result(timeout=PATIENCE_SECONDS)
            recorder.add(
                str(reason),
                is_right=outcome.reason is reason and 0 < len(outcome.tokens) < ENDLESS_TOKENS,
                tokens=len(outcome.tokens),
                seconds_late=round(time.monotonic() - asked, 3),
            )
        tokens = beside.future.result(timeout=PATIENCE_SECONDS).tokens
        # In 16 bits the shape of a batch changes the last digit, so that a few tokens may differ.
        same = sum(first == second for first, second in zip(tokens, alone.tokens, strict=False))
        recorder.add("beside them", is_right=len(tokens) == plan.new_tokens, same=same, of=plan.new_tokens)


def check_memory(plan: BenchPlan, recorder: Recorder) -> None:
    """Record whether all requests are answered although a pass finds no memory, and the loop serves on after that."""
    network = build_network(plan.small, dtype=plan.dtype, device=plan.device)
    prompts = make_prompts(SEQUENCES, plan.prompt_tokens, plan.small.vocabulary)
    batching = build_batching(LOOP, sequences=SEQUENCES, tokens=plan.prompt_tokens + plan.new_tokens)
    with open_loop(network, batching) as loop, recorder.catch("out of memory"):
        before = run_loop(loop, prompts, new_tokens=plan.new_tokens, device=plan.device, seconds=60.0)
        errors = make_memory_short(loop, plan.device)
        during = run_loop(loop, prompts, new_tokens=plan.new_tokens, device=plan.device, seconds=60.0)
        after = run_loop(loop, prompts, new_tokens=plan.new_tokens, device=plan.device, seconds=60.0)
        for name, outcomes in (("during", during), ("after", after)):
            same = sum(first.tokens == second.tokens for first, second in zip(before, outcomes, strict=True))
            recorder.add(
                f"out of memory, {name}",
                is_right=all(len(outcome.tokens) == plan.new_tokens for outcome in outcomes) and len(errors) == 1,
                errors=[type(error).__name__ for error in errors],
                same=same,
                of=len(prompts),
                pass_tokens=loop.batch_processor.max_batch_tokens,
            )


def make_memory_short(loop: Any, device: str) -> list[BaseException]:
    """Leave the next pass of a loop no memory, and give it back once the loop has seen that; return what it saw."""
    seen: list[BaseException] = []
    give_back = limit_memory() if device == "cuda" else fail_next_pass(loop)
    shrink = loop._shrink_batch

    def see(processor: Any, error: Exception) -> None:
        seen.append(error)
        give_back()
        shrink(processor, error)

    loop._shrink_batch = see
    return seen


def limit_memory() -> Callable[[], None]:
    """Let PyTorch take hardly more of the card than it has; return what lifts that."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + LEFT_BYTES) / total)
    return lambda: torch.cuda.set_per_process_memory_fraction(1.0)


def fail_next_pass(loop: Any) -> Callable[[], None]:
    """Let a loop's passes fail as they do without memory; return what ends that."""
    runner = loop.batch_processor.model_runner
    whole = runner.compute_batch

    def fail(_network: Any, _batch: Any) -> None:
        raise MemoryError("cannot allocate memory: a rehearsal")

    def end() -> None:
        runner.compute_batch = whole

    runner.compute_batch = fail
    return end


def check_pinning(plan: BenchPlan, recorder: Recorder) -> None:
    """Record whether a process that is given one card by its UUID sees that one alone, and none by a wrong UUID."""
    if plan.device != "cuda":
        recorder.add("pinning", skipped="there is no GPU")
        return
    listed = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout
    recorder.add("nvidia-smi", printed=listed)
    for line in listed.splitlines():
        uuid = line.split(",")[1].strip()
        with recorder.catch(uuid):
            count, seen = show_card(uuid).split()
            recorder.add(uuid, is_right=count == "1" and uuid.removeprefix("GPU-") == seen, count=count, seen=seen)
    with recorder.catch("no such card"):
        printed = show_card("GPU-00000000-0000-0000-0000-000000000000")
        recorder.add("no such card", is_right=not printed, printed=printed)


def show_card(uuid: str) -> str:
    """Return how many cards a process sees that is given one, and the UUID of the first; nothing if it sees none."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": uuid}
    command = [sys.executable, "-c", SHOW_CARD]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60).stdout
