"""Training of a verifier from files to a saved folder: adapter, head, and metadata with the threshold."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from workers.engine.cpu.memory import measure_free_memory
from workers.engine.device import Placement
from workers.engine.loading import load_network
from workers.engine.pretrained import read_config, read_vocabulary
from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.checkpoints import describe_run, prepare_output, save_whole
from workers.finetuning.claim_groups import ClaimGroup, ClaimSet
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.memory import check_memory, estimate_memory
from workers.finetuning.progress import ProgressListener
from workers.finetuning.verifier_config import MAX_STEP_CLAIMS, VerifierConfig
from workers.finetuning.verifier_loop import VerifierTrainer
from workers.finetuning.verifier_network import VerifierNetwork
from workers.finetuning.verifier_scores import (
    choose_mark_threshold,
    choose_threshold,
    describe_scores,
    judge_by_overlap,
    measure_auc,
)
from workers.weights.folder import check_folder, list_tensors
from workers.weights.metadata import fingerprint_base
from workers.weights.verifier import VerifierMetadata

# Tokens of a claim of usual length, with the wording around it; for the estimate of memory.
CLAIM_TOKENS = 48


@dataclass(frozen=True, slots=True)
class VerifierResult:
    """Result of a run: the verifier's folder and its metadata."""

    folder: Path
    metadata: VerifierMetadata


def train_verifier(
    config: VerifierConfig,
    *,
    claims: ClaimSet,
    listener: ProgressListener = lambda _: None,
    data_listener: Callable[[dict[str, Any]], None] = lambda _: None,
) -> VerifierResult:
    """Train a verifier on claims and save it.

    Args:
        config: configuration of the run.
        claims: the claims.
        listener: called with loss and remaining time after every optimizer step.
        data_listener: called before training with the counts of used and skipped claims.

    Returns:
        The verifier's folder and metadata: settings, data hash, threshold, scores on held-out claims.

    Raises:
        FinetuningError: data, settings, output folder or machine are unsuitable; raised before training.
        WeightsError: the base folder has no loadable weights.
    """
    started = time.monotonic()
    check_folder(config.base)
    check_processes()
    seed = config.training.seed
    train, held_out = claims.split(config.held_out, seed=seed)
    placement = prepare_placement(config)
    checkpoint = prepare_output(config, data_hash=claims.data_hash)
    data = describe_claims(claims, train, held_out)
    data_listener(data)
    network = build_network(config, placement)
    trainer = VerifierTrainer(config, network, train)
    trainer.train(listener, checkpoint=checkpoint)
    metrics = measure_held_out(trainer, held_out)
    metadata = VerifierMetadata(
        base=config.name or config.base.name,
        base_fingerprint=fingerprint_base(config.base),
        threshold=metrics["threshold"],
        mark_threshold=metrics["mark_threshold"],
        training=describe_run(config, data_hash=claims.data_hash),
        data=data,
        metrics=metrics | {"seconds": round(time.monotonic() - started)},
    )
    with save_whole(config.output) as folder:
        network.save(folder, base=metadata.base)
        metadata.write(folder)
    return VerifierResult(config.output, metadata)


def measure_held_out(trainer: VerifierTrainer, groups: list[ClaimGroup]) -> dict[str, Any]:
    """Return the threshold chosen on held-out claims, and the scores of word overlap and of the verifier on them."""
    judged = list(trainer.judge(groups))
    threshold = choose_threshold(judged)
    return {
        "word_overlap": {"auc": measure_auc(list(judge_by_overlap(groups)))},
        "verifier": describe_scores(judged, threshold=threshold),
        "threshold": threshold,
        "mark_threshold": choose_mark_threshold(judged),
    }


def check_processes() -> None:
    """Refuse several processes: each would train and save a verifier of its own.

    Raises:
        TrainingSettingsError: accelerate has started more than one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingSettingsError("a verifier is trained by one process: start the command without accelerate")


def build_network(config: VerifierConfig, placement: Placement) -> VerifierNetwork:
    """Load the base and give it an untrained adapter and head; the seed determines the adapter's initial values."""
    network = load_network(config.base, placement=placement, adapter=None, device_map=None)
    tokenizer = PromptTokenizer(read_vocabulary(config.base))
    set_seed(config.training.seed)
    return VerifierNetwork(network, tokenizer, config.lora)


def prepare_placement(config: VerifierConfig) -> Placement:
    """Return device and dtype of the training.

    Raises:
        NotEnoughMemoryError: the run would exceed the free memory.
    """
    weights_config = read_config(config.base)
    placement = choose_verifier_placement()
    longest = config.budget.most + MAX_STEP_CLAIMS * CLAIM_TOKENS
    needed = estimate_memory(
        config, list_tensors(config.base), weights_config, placement, longest=longest, max_completion=0
    )
    check_memory(needed, free=measure_free_memory(placement.device))
    return placement


def choose_verifier_placement() -> Placement:
    """Return device and dtype of the training: no float16, whose gradients would have to be scaled."""
    if not torch.cuda.is_available():
        return Placement(device="cpu", dtype=torch.float32, quantization="none")
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return Placement(device="cuda", dtype=dtype, quantization="none")


def describe_claims(claims: ClaimSet, train: list[ClaimGroup], held_out: list[ClaimGroup]) -> dict[str, Any]:
    """Return the hash of the claims, the counts of texts, of claims by origin, and of what was skipped."""
    origins = Counter(
        f"{'true' if claim.is_supported else 'false'}: {claim.origin}" for group in train for claim in group.claims
    )
    return {
        "hash": claims.data_hash,
        "texts": len(train),
        "held_out": len(held_out),
        "claims": sum(origins.values()),
        "held_out_claims": sum(len(group.claims) for group in held_out),
        "origins": dict(sorted(origins.items())),
        "skipped": dict(claims.skipped),
    }
