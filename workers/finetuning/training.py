"""Fine-tuning from files of pairs to a saved adapter with metadata on its settings, data and scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from transformers import set_seed
from transformers.trainer_callback import PrinterCallback

from workers.engine.cpu.memory import measure_free_memory
from workers.engine.device import Placement, choose_dtype
from workers.engine.loading import load_network
from workers.engine.pretrained import read_config, read_tokenizer
from workers.finetuning.checkpoints import describe_run, prepare_output, save_whole
from workers.finetuning.config import FinetuneConfig
from workers.finetuning.dataset import ExampleSet, PairEncoder
from workers.finetuning.lora import keep_differentiable, load_start, require_bitsandbytes, save_adapter
from workers.finetuning.memory import check_memory, estimate_memory
from workers.finetuning.pairs import PairSet
from workers.finetuning.progress import ProgressCallback, ProgressListener
from workers.finetuning.scoring import score_summaries, summarize_examples
from workers.finetuning.trainer import CompletionTrainer, build_arguments
from workers.summarization.prompts import PromptSet
from workers.weights.folder import check_folder, list_tensors, read_prompt_format
from workers.weights.metadata import AdapterMetadata, fingerprint_base


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """Result of a run: the adapter's folder and its metadata."""

    adapter: Path
    metadata: AdapterMetadata


@dataclass(frozen=True, slots=True)
class _Material:
    """Checked inputs of a run."""

    tokenizer: Any
    prompts: PromptSet
    pairs: PairSet
    train: ExampleSet
    held_out: ExampleSet
    placement: Placement


def finetune(
    config: FinetuneConfig,
    *,
    pairs: PairSet,
    listener: ProgressListener = lambda _: None,
    data_listener: Callable[[dict[str, Any]], None] = lambda _: None,
) -> FinetuneResult:
    """Train an adapter on source-summary pairs and save it.

    Args:
        config: configuration of the run.
        pairs: the pairs.
        listener: called with loss and remaining time after every optimizer step.
        data_listener: called before training with the counts of used and skipped rows.

    Returns:
        The adapter's folder and metadata: settings, data hash, loss and ROUGE on held-out pairs before and after.

    Raises:
        FinetuningError: data, settings, output folder or machine are unsuitable; raised before training.
        WeightsError: the base folder has no loadable weights.
    """
    started = time.monotonic()
    set_seed(config.training.seed)
    material = gather_material(config, pairs)
    checkpoint = prepare_output(config, data_hash=material.pairs.data_hash)
    data_listener(describe_data(material))
    trainer = build_trainer(config, material, listener)
    before = measure_held_out(trainer, config, material)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    after = measure_held_out(trainer, config, material)
    metrics = {"before": before, "after": after, "seconds": round(time.monotonic() - started)}
    metadata = describe_adapter(config, material, metrics)
    if trainer.is_world_process_zero():
        with save_whole(config.output) as folder:
            save_adapter(trainer.accelerator.unwrap_model(trainer.model), folder, base=metadata.base)
            metadata.write(folder)
    trainer.accelerator.wait_for_everyone()
    return FinetuneResult(config.output, metadata)


def gather_material(config: FinetuneConfig, pairs: PairSet) -> _Material:
    """Encode and check the inputs, so that a run that would fail is refused before training."""
    check_folder(config.base)
    if config.qlora:
        require_bitsandbytes()
    tokenizer = read_tokenizer(config.base)
    has_template = bool(tokenizer.chat_template)
    prompt_format = config.prompt_format or read_prompt_format(config.base, has_chat_template=has_template)
    prompts = PromptSet(style=config.style, format=prompt_format, template=config.template)
    encoder = PairEncoder(tokenizer, prompts=prompts)
    seed = config.training.seed
    encode = encoder.ground_pairs if config.grounded else encoder.encode_pairs
    train, held_out = (
        encode(part, budget=config.budget, seed=seed) for part in pairs.split(config.held_out, seed=seed)
    )
    weights_config = read_config(config.base)
    placement = choose_training_placement(qlora=config.qlora)
    needed = estimate_memory(
        config,
        list_tensors(config.base),
        weights_config,
        placement,
        longest=train.longest,
        max_completion=train.max_completion,
    )
    check_memory(needed, free=measure_free_memory(placement.device))
    return _Material(tokenizer, prompts, pairs, train, held_out, placement)


def choose_training_placement(*, qlora: bool) -> Placement:
    """Return device and dtype of the training: a GPU if there is one, and the serving dtype."""
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = choose_dtype(device)
    return Placement(device=device, dtype=dtype, quantization="nf4" if qlora else "none")


def build_trainer(config: FinetuneConfig, material: _Material, listener: ProgressListener) -> CompletionTrainer:
    """Build the trainer from weights, adapter, examples and settings."""
    # Built first: it assigns each process of a multi-GPU run its device, on which the weights are then loaded.
    arguments = build_arguments(config, material.placement)
    network = load_network(config.base, placement=material.placement, adapter=None, device_map=None)
    keep_differentiable(network)
    if config.start is not None:
        network = load_start(network, config.start, lora=config.lora)
    trainer = CompletionTrainer(
        model=network,
        args=arguments,
        train_dataset=to_dataset(material.train),
        eval_dataset=to_dataset(material.held_out) if material.held_out.examples else None,
        processing_class=material.tokenizer,
        peft_config=None if config.start else config.lora.build_config(),
        callbacks=[ProgressCallback(listener)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def to_dataset(examples: ExampleSet) -> Dataset:
    """Return the trainer's table of token ids and labels."""
    return Dataset.from_list([example.row for example in examples.examples])


def measure_held_out(trainer: CompletionTrainer, config: FinetuneConfig, material: _Material) -> dict[str, Any]:
    """Return the loss on the held-out pairs, and ROUGE with its tokenizers if any are generated."""
    if not material.held_out.examples:
        return {}
    metrics: dict[str, Any] = {"loss": float(trainer.evaluate()["eval_loss"])}
    examples = material.held_out.examples[: config.generated]
    if examples:
        network = trainer.accelerator.unwrap_model(trainer.model)
        summaries = list(
            summarize_examples(network, material.tokenizer, examples, max_new_tokens=config.max_new_tokens)
        )
        metrics |= asdict(score_summaries(summaries, [example.pair.target for example in examples]))
    return metrics


def describe_adapter(config: FinetuneConfig, material: _Material, metrics: dict[str, Any]) -> AdapterMetadata:
    """Return the adapter's metadata."""
    return AdapterMetadata(
        prompt_format=material.prompts.format,
        prompt_style=config.style,
        prompt_template=config.template,
        base=config.name or config.base.name,
        base_fingerprint=fingerprint_base(config.base),
        training=describe_run(config, data_hash=material.pairs.data_hash),
        data=describe_data(material),
        metrics=metrics,
    )


def describe_data(material: _Material) -> dict[str, Any]:
    """Return the counts of used, truncated and skipped rows, and the hash of the pairs."""
    pairs = material.pairs
    return {
        "hash": pairs.data_hash,
        "pairs": len(material.train.examples),
        "held_out": len(material.held_out.examples),
        **_add_counts(material.train, material.held_out),
        "empty_sources": pairs.empty_sources,
        "empty_targets": pairs.empty_targets,
        "duplicates": pairs.duplicates,
    }


def _add_counts(*sets: ExampleSet) -> dict[str, int]:
    names = ("truncated_sources", "dropped_sentences", "left_out")
    return {name: sum(getattr(examples, name) for examples in sets) for name in names}
