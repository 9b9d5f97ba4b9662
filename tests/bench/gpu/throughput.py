"""New tokens a second by the number of requests and by setting, beside what the card's memory allows."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.bench.gpu.limits import Card, limit_decoding, limit_requests, measure_card
from tests.bench.gpu.loops import Setting, measure
from tests.bench.gpu.plan import BenchPlan
from tests.bench.gpu.report import Recorder, read_rows
from tests.bench.gpu.settings import BATCH, LOOP, list_batch_settings, list_loop_settings
from tests.bench.gpu.shapes import Shape, build_network, make_prompts

CARD = "card"


def measure_limits(plan: BenchPlan, recorder: Recorder) -> None:
    """Record what the card does at best, and what that allows for each shape and number of requests."""
    card = measure_card(plan.device, plan.dtype, is_dry=plan.is_dry)
    recorder.add(CARD, bytes_per_second=card.bytes_per_second, operations_per_second=card.operations_per_second)
    for shape in (plan.small, plan.large):
        for sequences in plan.batches:
            recorder.add(f"{shape.name}, {sequences} requests", **find_limits(plan, shape, card, sequences))


def find_limits(plan: BenchPlan, shape: Shape, card: Card, sequences: int) -> dict[str, float]:
    """Return the most tokens a second of whole requests, and of their decoding."""
    itemsize = plan.dtype.itemsize
    halfway = plan.prompt_tokens + plan.new_tokens / 2
    whole = limit_requests(
        shape,
        card,
        sequences=sequences,
        prompt_tokens=plan.prompt_tokens,
        new_tokens=plan.new_tokens,
        itemsize=itemsize,
    )
    decode = limit_decoding(shape, card, sequences=sequences, tokens=halfway, itemsize=itemsize)
    return {"limit": round(whole, 1), "decode_limit": round(decode, 1)}


def read_card(folder: Path) -> Card | None:
    """Return what an earlier section has measured of the card; None if it did not come to that."""
    for row in read_rows(folder):
        if row["name"] == CARD and "bytes_per_second" in row:
            return Card(row["bytes_per_second"], row["operations_per_second"])
    return None


def measure_batches(plan: BenchPlan, shape: Shape, recorder: Recorder, card: Card | None) -> None:
    """Record the speed of our loop and of ``generate_batch`` for every number of requests."""
    network = build_network(shape, dtype=plan.dtype, device=plan.device)
    for sequences in plan.batches:
        limits = {} if card is None else find_limits(plan, shape, card, sequences)
        for setting in (LOOP, BATCH):
            is_whole = measure_setting(
                plan, shape, network, setting, recorder, sequences=sequences, new_tokens=plan.new_tokens, limits=limits
            )
            # Nothing cuts transformers' own way, which takes about as long.
            if not is_whole:
                break


def measure_settings(plan: BenchPlan, recorder: Recorder, card: Card | None, *, way: str) -> None:
    """Record the speed of every setting of one way, at one number of requests."""
    network = build_network(plan.small, dtype=plan.dtype, device=plan.device)
    for setting in list_loop_settings() if way == "loop" else list_batch_settings():
        measure_setting(
            plan,
            plan.small,
            network,
            setting,
            recorder,
            sequences=plan.settings_batch,
            new_tokens=plan.settings_tokens,
            limits={} if card is None else find_limits(plan, plan.small, card, plan.settings_batch),
        )


def measure_setting(
    plan: BenchPlan,
    shape: Shape,
    network: Any,
    setting: Setting,
    recorder: Recorder,
    *,
    sequences: int,
    new_tokens: int,
    limits: dict[str, float],
) -> bool:
    """Record the speed of one setting, or why it does not run; return whether all tokens came in time."""
    is_whole = True
    prompts: Sequence[Sequence[int]] = make_prompts(sequences, plan.prompt_tokens, shape.vocabulary)
    name = f"{shape.name}, {sequences} requests, {setting.name}"
    with recorder.catch(name):
        values = measure(network, setting, prompts, new_tokens=new_tokens, device=plan.device, seconds=plan.seconds)
        is_whole = not values["is_cut"]
        rate = values.get("decode_tokens_per_second")
        shares = {"share_of_decode_limit": round(rate / limits["decode_limit"], 4)} if limits and rate else {}
        recorder.add(name, **values, **limits, **shares)
    gc.collect()
    if plan.device == "cuda":
        torch.cuda.empty_cache()
    return is_whole
