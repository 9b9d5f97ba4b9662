"""Options of ``gistmill finetune``, and their conversion to the config of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from models.choices import STYLES
from workers.finetuning.config import FinetuneConfig, Optimizer, Schedule, apply_notebook_preset
from workers.finetuning.verifier_config import VerifierConfig
from workers.generation import PromptFormat

# What to do about a run that was stopped, or that ran out of disk.
RESUMPTION = "the same command with --resume goes on at the last checkpoint"
DISK_REMEDY = f"free some space there; {RESUMPTION}"
# Styles that an adapter can be trained under without a file of one's own.
TRAINED_STYLES = tuple(style for style in STYLES if style not in ("auto", "few-shot", "custom"))
DEFAULTS = FinetuneConfig(data=(), base=Path(), output=Path())
PACE = DEFAULTS.training
VERIFIER = VerifierConfig(data=(), base=Path(), output=Path())
# Options that have no meaning for a verifier.
SUMMARIZE_ONLY = (
    *(
        "name",
        "style",
        "prompt",
        "prompt_format",
        "scored",
        "max_new_tokens",
        "batch_size",
        "optimizer",
        "evaluation_steps",
    ),
    *("gradient_checkpointing", "qlora", "preset", "grounded", "start"),
)
# Fields of the config by option.
LORA = {"rank": "r", "alpha": "alpha", "dropout": "dropout"}
BUDGET = {"source_tokens": "most", "least_source_tokens": "least"}
TRAINING = {
    "batch_size": "batch_size",
    "accumulation": "accumulation",
    "learning_rate": "learning_rate",
    "schedule": "schedule",
    "warmup_steps": "warmup_steps",
    "epochs": "epochs",
    "steps": "max_steps",
    "optimizer": "optimizer",
    "checkpoint_steps": "checkpoint_steps",
    "evaluation_steps": "evaluation_steps",
    "gradient_checkpointing": "gradient_checkpointing",
    "seed": "seed",
}
RUN = {
    "source_column": "source_column",
    "target_column": "target_column",
    "style": "style",
    "held_out": "held_out",
    "scored": "generated",
    "max_new_tokens": "max_new_tokens",
    "grounded": "grounded",
    "start": "start",
}

TASKS = ("summarize", "verify")

COUNT = click.IntRange(min=1)


def list_words(kind: type[StrEnum]) -> tuple[str, ...]:
    """Return the values of an enumeration; click would offer the names of its members."""
    return tuple(member.value for member in kind)


Command = TypeVar("Command", bound=Callable[..., Any])
OPTIONS = (
    click.option(
        "--task",
        type=click.Choice(TASKS),
        default=TASKS[0],
        show_default=True,
        help="Write summaries, or judge whether a text bears out a claim.",
    ),
    click.option("--source-column", help="Column with the texts.  [default: article, text or another]"),
    click.option("--target-column", help="Column with the summaries.  [default: highlights, summary or another]"),
    click.option(
        "--style",
        type=click.Choice(TRAINED_STYLES),
        help=f"Style of the prompt to train under.  [default: {DEFAULTS.style}]",
    ),
    click.option(
        "--prompt",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with a prompt of your own to train under; {text} stands for the document.",
    ),
    click.option(
        "--prompt-format", type=click.Choice(list_words(PromptFormat)), help="[default: as the base wants it]"
    ),
    click.option(
        "--source-tokens",
        type=COUNT,
        help=f"Tokens of each text that are kept.  [default: {DEFAULTS.budget.most}; verify: {VERIFIER.budget.most}]",
    ),
    click.option(
        "--least-source-tokens",
        type=COUNT,
        help="Draw each text's limit between this and --source-tokens.  "
        f"[default: none; verify: {VERIFIER.budget.least}]",
    ),
    click.option(
        "--grounded",
        is_flag=True,
        default=None,
        help="Train on what each cut text, a part of it or its parts' summaries bear out, some with a length.",
    ),
    click.option(
        "--start",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of an adapter to train on from.  [default: an untrained one]",
    ),
    click.option(
        "--held-out",
        type=click.IntRange(min=0),
        help=f"Pairs, or texts with claims, kept from training to measure.  [default: {DEFAULTS.held_out}]",
    ),
    click.option(
        "--scored",
        type=click.IntRange(min=0),
        help=f"Held-out pairs to score with ROUGE.  [default: {DEFAULTS.generated}]",
    ),
    click.option(
        "--max-new-tokens", type=COUNT, help=f"Longest summary when scoring.  [default: {DEFAULTS.max_new_tokens}]"
    ),
    click.option(
        "--rank", type=COUNT, help=f"Rank of the adapter.  [default: {DEFAULTS.lora.r}; verify: {VERIFIER.lora.r}]"
    ),
    click.option("--alpha", type=COUNT, help="The adapter is scaled by alpha / rank.  [default: twice the rank]"),
    click.option(
        "--dropout",
        type=click.FloatRange(0, 1, max_open=True),
        help=f"Of the adapter's inputs.  [default: {DEFAULTS.lora.dropout:g}]",
    ),
    click.option(
        "--batch-size",
        type=COUNT,
        help=f"Pairs per forward pass and device.  [default: {PACE.batch_size}]",
    ),
    click.option(
        "--accumulation",
        type=COUNT,
        help=f"Forward passes per step.  [default: {PACE.accumulation}; verify: {VERIFIER.training.accumulation}]",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(min=0, min_open=True),
        help=f"[default: {PACE.learning_rate}; verify: {VERIFIER.training.learning_rate}]",
    ),
    click.option(
        "--schedule",
        type=click.Choice(list_words(Schedule)),
        help=f"Of the learning rate.  [default: {PACE.schedule}; verify: {VERIFIER.training.schedule}]",
    ),
    click.option(
        "--warmup-steps",
        type=click.IntRange(min=0),
        help=f"[default: {PACE.warmup_steps}; verify: {VERIFIER.training.warmup_steps}]",
    ),
    click.option(
        "--epochs",
        type=click.FloatRange(min=0, min_open=True),
        help=f"Passes over the pairs.  [default: {PACE.epochs:g}]",
    ),
    click.option("--steps", type=COUNT, help="Optimizer steps, instead of --epochs."),
    click.option(
        "--optimizer",
        type=click.Choice(list_words(Optimizer)),
        help=f"[default: {PACE.optimizer}; paged_adamw_8bit for --qlora]",
    ),
    click.option("--seed", type=int, help=f"[default: {PACE.seed}]"),
    click.option(
        "--checkpoint-steps",
        type=COUNT,
        help=f"Steps between two checkpoints.  [default: {PACE.checkpoint_steps}]",
    ),
    click.option("--evaluation-steps", type=COUNT, help="Steps between two held-out losses.  [default: none]"),
    click.option("--gradient-checkpointing", is_flag=True, default=None, help="Less memory, a third slower."),
    click.option("--qlora", is_flag=True, default=None, help="Hold the base in 4 bits (nf4) while it trains."),
    click.option("--preset", type=click.Choice(("notebook",)), help="QLoRA of rank 6, 12 steps of 4 pairs at 2e-4."),
)


def add_finetune_options(command: Command) -> Command:
    """Add the options of fine-tuning to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def build_config(config: FinetuneConfig, given: Mapping[str, Any]) -> FinetuneConfig:
    """Return a config with the given options: the preset first, then every option.

    Raises:
        TrainingSettingsError: a value, or a combination of values, is invalid.
    """
    values = {name: value for name, value in given.items() if value is not None}
    if values.get("preset") == "notebook":
        config = apply_notebook_preset(config)
    elif "rank" in values:
        values.setdefault("alpha", 2 * values["rank"])
    if values.get("qlora") and "preset" not in values:
        values.setdefault("optimizer", Optimizer.PAGED_ADAMW_8BIT)
    if "held_out" in values:
        values.setdefault("scored", min(config.generated, values["held_out"]))
    for name, kind in (("optimizer", Optimizer), ("schedule", Schedule)):
        if name in values:
            values[name] = kind(values[name])
    changes = _pick(values, RUN) | _read_prompt(values.get("prompt"))
    if "prompt_format" in values:
        changes["prompt_format"] = PromptFormat(values["prompt_format"])
    return replace(
        config,
        **changes,
        qlora=values.get("qlora", config.qlora),
        lora=replace(config.lora, **_pick(values, LORA)),
        budget=replace(config.budget, **_pick(values, BUDGET)),
        training=replace(config.training, **_pick(values, TRAINING)),
    )


def build_verifier_config(config: VerifierConfig, given: Mapping[str, Any]) -> VerifierConfig:
    """Return a config of a verifier with the given options.

    Raises:
        TrainingSettingsError: a value is invalid, or an option has no meaning for a verifier.
    """
    values = {name: value for name, value in given.items() if value is not None}
    refuse_options([name for name in SUMMARIZE_ONLY if name in values])
    if "rank" in values:
        values.setdefault("alpha", 2 * values["rank"])
    if "schedule" in values:
        values["schedule"] = Schedule(values["schedule"])
    budget = _pick(values, BUDGET)
    if "most" in budget:
        budget.setdefault("least", min(budget["most"], config.budget.least or budget["most"]))
    return replace(
        config,
        **{name: values[name] for name in ("source_column", "target_column", "held_out") if name in values},
        lora=replace(config.lora, **_pick(values, LORA)),
        budget=replace(config.budget, **budget),
        training=replace(config.training, **_pick(values, TRAINING)),
    )


def refuse_options(names: Sequence[str]) -> None:
    """Refuse options that have no meaning for a verifier.

    Raises:
        TrainingSettingsError: there are any; the message names them.
    """
    if names:
        from workers.finetuning.errors import TrainingSettingsError

        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        raise TrainingSettingsError(f"{options} is for --task summarize: leave it out with --task verify")


def _pick(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: values[option] for option, name in names.items() if option in values}


def _read_prompt(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from producer.options import read_text_file
    from workers.finetuning.errors import TrainingSettingsError

    template = read_text_file(path)
    if template.count("{text}") != 1:
        raise TrainingSettingsError(f"{path} must have {{text}} exactly once, where the document goes")
    return {"style": "custom", "template": template}
