"""Command ``gistmill finetune``: train an adapter on pairs of texts and summaries, and register it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.approved_pairs import read_approved
from gistmill.cli.finetune_options import DISK_REMEDY, RESUMPTION, add_finetune_options, build_config
from gistmill.cli.finetune_verifier import finetune_verifier
from gistmill.cli.output import print_tokenizers
from gistmill.cli.weights_checks import check_name, explain_engine
from models.full_disk import explain_full_disk
from models.settings import read_settings
from producer.wording import format_seconds

if TYPE_CHECKING:
    from models.settings import Settings
    from workers.finetuning.config import FinetuneConfig
    from workers.finetuning.pairs import PairSet
    from workers.finetuning.training import FinetuneResult
    from workers.weights.registration import BaseWeights

# Labels of the report's metrics, in its order.
METRICS = {
    "loss": "loss",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "stopped_share": "stopped itself",
    "mean_tokens": "mean tokens",
}


@click.command()
@click.argument("data", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--base", help="Weights to train on: a folder, a hub id or a registered name.  [default: GISTMILL_WEIGHTS]"
)
@click.option("--output", "-o", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder.")
@click.option("--from-batch", "batches", metavar="BATCH", multiple=True, help="Also train on a batch's approved jobs.")
@click.option("--name", callback=check_name, help="Register the adapter under this name, for `gistmill worker --name`.")
@click.option("--resume", is_flag=True, help="Go on at the last checkpoint of an interrupted run.")
@add_finetune_options
def finetune(
    data: tuple[Path, ...],
    base: str | None,
    output: Path,
    batches: tuple[str, ...],
    name: str | None,
    *,
    resume: bool,
    task: str,
    **given: Any,
) -> None:
    """Train a LoRA adapter on texts and their summaries: CSV, JSONL or Parquet, or jobs that a person approved.

    Texts longer than --source-tokens are cut and counted, summaries never. A part of the pairs is
    held out: loss and ROUGE on it before and after tell whether the adapter is better than its base.

    --task verify trains a verifier instead, a judge of single sentences: on JSONL files of texts with
    true and false claims, and on claims that it makes from texts and summaries.

    Several GPUs: accelerate launch --num_processes 2 --module gistmill finetune DATA ...

    \b
    Examples:
      gistmill finetune pairs.csv --output adapters/reports
      gistmill finetune pairs.jsonl --source-column text --target-column summary --epochs 2 -o adapters/two
      gistmill finetune pairs.csv --output adapters/long --source-tokens 768 --resume
      gistmill finetune pairs.csv --preset notebook --output adapters/notebook
      gistmill finetune --from-batch nightly --held-out 2 --output adapters/nightly --name nightly-style
      gistmill finetune --task verify claims.jsonl pairs.csv --output verifiers/mine
    """
    from workers.finetuning.base_weights import locate_base
    from workers.finetuning.config import FinetuneConfig

    settings = read_settings()
    if task == "verify":
        finetune_verifier(
            settings, {**given, "name": name}, data=data, base=base, output=output, batches=batches, resume=resume
        )
        return
    if name is not None:
        _require_free(settings, name)
    with explain_engine():
        found = locate_base(settings, base or settings.weights)
        start = FinetuneConfig(data=data, base=found.folder, output=output, name=found.name, resume=resume)
        config = build_config(start, given)
        result = _train(config, _read_pairs(settings, config, batches))
        if is_first_process():
            _print_report(result)
            if name is not None:
                _register(settings, name, output, found)


def is_first_process() -> bool:
    """Return True in the process of rank 0, which prints and registers for all processes of accelerate."""
    return os.environ.get("RANK", "0") == "0"


def _require_free(settings: Settings, name: str) -> None:
    """Reject a taken name before the training starts."""
    from models.errors import NameInUseError
    from models.registry import list_weights
    from models.session import open_transaction

    with open_transaction(settings.require_database_url()) as session:
        if name in {weights.name for weights in list_weights(session)}:
            raise NameInUseError(f"{name!r} is registered already; choose another --name")


def _read_pairs(settings: Settings, config: FinetuneConfig, batches: tuple[str, ...]) -> PairSet:
    from gistmill.cli.training_data import make_row_reader
    from workers.finetuning.pairs import read_pairs

    read_rows = make_row_reader(source_column=config.source_column, target_column=config.target_column)
    return read_pairs(config.data, read_rows=read_rows, approved=read_approved(settings, batches))


def _train(config: FinetuneConfig, pairs: PairSet) -> FinetuneResult:
    # bitsandbytes looks for kernels on a hub on import, and warns about missing ones.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from gistmill.cli.progress import TrainingDisplay
    from workers.finetuning.progress import silence_libraries
    from workers.finetuning.training import finetune as run

    silence_libraries()
    try:
        with explain_full_disk(config.output, remedy=DISK_REMEDY), TrainingDisplay() as display:
            if not is_first_process():
                return run(config, pairs=pairs)
            return run(config, pairs=pairs, listener=display.show, data_listener=display.show_data)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {RESUMPTION} in {config.output}") from None


def _register(settings: Settings, name: str, output: Path, base: BaseWeights) -> None:
    from models.session import open_transaction
    from workers.weights.registration import register_trained

    with open_transaction(settings.require_database_url()) as session:
        register_trained(session, name, output, base=base)
    click.echo(f"registered as {name}; serve it with: gistmill worker --name {name}")


def _print_report(result: FinetuneResult) -> None:
    metrics = result.metadata.metrics
    click.echo(
        f"adapter in {result.adapter}, trained for {result.metadata.base} in {format_seconds(metrics['seconds'])}"
    )
    before, after = metrics["before"], metrics["after"]
    if not after:
        click.echo("nothing was held out, so nothing is known about how good it is")
        return
    click.echo(f"{'held-out pairs':<16}{'before':>9}{'after':>9}")
    for name, label in METRICS.items():
        if name in after:
            click.echo(f"{label:<16}{before[name]:>9.2f}{after[name]:>9.2f}")
    print_tokenizers(after.get("tokenizers", {}))
