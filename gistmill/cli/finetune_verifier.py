"""Command ``gistmill finetune --task verify``: train a verifier, and report how well it tells claims apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.approved_pairs import read_approved
from gistmill.cli.finetune_options import DISK_REMEDY, RESUMPTION, build_verifier_config
from gistmill.cli.weights_checks import explain_engine
from models.full_disk import explain_full_disk
from producer.wording import format_seconds
from workers.finetuning.verifier_config import VerifierConfig

if TYPE_CHECKING:
    from models.settings import Settings
    from workers.finetuning.verifier_training import VerifierResult


def finetune_verifier(
    settings: Settings,
    given: Mapping[str, Any],
    *,
    data: tuple[Path, ...],
    base: str | None,
    output: Path,
    batches: Sequence[str],
    resume: bool,
) -> None:
    """Train a verifier and print its scores.

    Args:
        settings: settings of this machine.
        given: options of the command.
        data: files of claims and pairs.
        base: weights to train on; None for those of the settings.
        output: folder of the verifier.
        batches: batches whose approved jobs are trained on too.
        resume: resume an interrupted run.
    """
    from gistmill.cli.training_data import make_row_reader
    from workers.finetuning.base_weights import locate_base
    from workers.finetuning.claim_files import read_claims

    config = build_verifier_config(VerifierConfig(data=data, base=Path(), output=output, resume=resume), given)
    with explain_engine():
        found = locate_base(settings, base or settings.weights)
        config = replace(config, base=found.folder, name=found.name)
        claims = read_claims(
            config.data,
            read_rows=make_row_reader(source_column=config.source_column, target_column=config.target_column),
            approved=read_approved(settings, batches),
            seed=config.training.seed,
        )
        _print_report(_train(config, claims))


def _train(config: VerifierConfig, claims: Any) -> VerifierResult:
    from gistmill.cli.progress import TrainingDisplay
    from workers.finetuning.progress import silence_libraries
    from workers.finetuning.verifier_training import train_verifier

    silence_libraries()
    try:
        with explain_full_disk(config.output, remedy=DISK_REMEDY), TrainingDisplay() as display:
            return train_verifier(config, claims=claims, listener=display.show, data_listener=display.show_claims)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {RESUMPTION} in {config.output}") from None


def _print_report(result: VerifierResult) -> None:
    metadata = result.metadata
    seconds = format_seconds(metadata.metrics["seconds"])
    click.echo(f"verifier in {result.folder}, trained for {metadata.base} in {seconds}")
    verifier, overlap = metadata.metrics["verifier"], metadata.metrics["word_overlap"]
    if not verifier:
        click.echo("nothing was held out, so nothing is known about how good it is")
    else:
        click.echo(f"{'held-out claims':<28}{'AUC':>6}")
        click.echo(f"{'before (shared words alone)':<28}{_format_auc(overlap['auc']):>6}")
        click.echo(f"{'after':<28}{_format_auc(verifier['auc']):>6}")
    click.echo(f"threshold {metadata.threshold:.3f}; use it with: GISTMILL_VERIFIER={result.folder}")


def _format_auc(auc: float | None) -> str:
    return "-" if auc is None else f"{auc:.3f}"
