"""Commands ``gistmill weights``: manage registered weights and adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.database import open_engine, open_session
from gistmill.cli.output import json_option, print_fields, print_json, print_table, print_tokenizers
from gistmill.cli.weights_checks import check_name, explain_engine
from models.settings import PACKAGED, read_settings

if TYPE_CHECKING:
    from models.tables import Weights

# Labels of the metrics of a training run.
METRICS = {"loss": "loss", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rouge_l": "ROUGE-L", "stopped_share": "stopped"}


@click.command("list")
@json_option
def list_all(*, as_json: bool) -> None:
    """List the weights that are registered or were served, what stands behind each name, and how many workers serve it.

    "served as" has base, adapter, precision and the beginning of the fingerprint that summaries have;
    without live workers it is what the latest one served. What is served and not registered, such as
    "default", is what GISTMILL_WEIGHTS says where it is served.

    \b
    Examples:
      gistmill weights list
      gistmill weights list --json
    """
    from models.lookup import list_live_workers
    from models.registry import list_served, list_weights
    from models.tables import Weights

    with open_session() as session:
        workers = [worker.weights for worker in list_live_workers(session)]
        registered, served = list_weights(session), list_served(session)
        others = sorted(served.keys() - {weights.name for weights in registered})
        known = [*registered, *(Weights(name=name, kind="unregistered") for name in others)]
        rows = [
            describe_weights(weights)
            | {"served_as": served.get(weights.name, []), "workers": workers.count(weights.name)}
            for weights in known
        ]
    if as_json:
        print_json(rows)
    else:
        columns = ("name", "kind", "base", "served as", "workers", "location")
        cells = [row | {"served as": " and ".join(row["served_as"])} for row in rows]
        shown = [[row[column] for column in columns] for row in cells]
        print_table(columns, shown, flexible={"location": 24, "served as": 36}, droppable=("base", "location"))


@click.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Print what is known about weights: where they lie, what they were trained on and how good they were then.

    \b
    Examples:
      gistmill weights show gemma-3-270m
      gistmill weights show reports --json
    """
    from models.registry import find_weights, list_served, list_users

    with open_session() as session:
        weights = find_weights(session, name)
        described = describe_weights(weights)
        users, served = list_users(session, name), list_served(session).get(name, [])
    if as_json:
        print_json(described | {"served_as": served, "used_by": users})
        return
    training, metrics = described.pop("training"), described.pop("metrics")
    described |= {"fingerprint of the files": described.pop("fingerprint"), "served as": " and ".join(served)}
    print_fields(described | {"used by": ", ".join(users)} | describe_training(training))
    if metrics.get("after"):
        click.echo("\non the held-out pairs")
        print_table(("", "before", "after"), list_metrics(metrics))
        print_tokenizers(metrics["after"].get("tokenizers", {}))


@click.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget registered weights; their files stay. What a worker, an open job or other weights need is kept.

    \b
    Examples:
      gistmill weights remove reports-merged
    """
    from sqlalchemy.orm import Session

    from models.registry import remove_weights

    with open_engine() as engine, Session(engine) as session, session.begin():
        remove_weights(session, name)
    click.echo(f"{name} is no longer registered; its files stay where they are")


def describe_weights(weights: Weights) -> dict[str, Any]:
    """Return a row of weights as a dictionary."""
    return {
        "name": weights.name,
        "kind": weights.kind,
        "location": weights.location,
        "base": weights.base,
        "fingerprint": weights.fingerprint,
        "data_sha256": weights.data_sha256,
        "created_at": weights.created_at,
        "training": weights.training,
        "metrics": weights.metrics,
    }


def describe_training(training: dict[str, Any]) -> dict[str, object]:
    """Return the main settings of a training run by label."""
    if not training:
        return {}
    run, lora, data = (training.get(part, {}) for part in ("training", "lora", "data"))
    length = f"{run.get('max_steps')} steps" if run.get("max_steps") else f"{run.get('epochs')} epochs"
    return {
        "prompt": f"{training.get('prompt_format')}, style {training.get('style')}",
        "trained on": f"{data.get('pairs')} pairs, {data.get('held_out')} held out",
        "adapter": f"rank {lora.get('r')}, alpha {lora.get('alpha')}{', QLoRA' if training.get('qlora') else ''}",
        "training": f"{length} of {run.get('batch_size')} x {run.get('accumulation')} pairs, "
        f"learning rate {run.get('learning_rate')}, seed {run.get('seed')}",
    }


def list_metrics(metrics: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the metrics before and after training as rows: label, before, after."""
    before, after = metrics.get("before", {}), metrics["after"]
    return [
        (label, f"{before[name]:.2f}" if name in before else "", f"{after[name]:.2f}")
        for name, label in METRICS.items()
        if name in after
    ]


@click.command()
@click.argument("name", callback=check_name)
@click.argument("location", metavar="FOLDER|HUB-ID|packaged")
@click.option("--base", help="Registered weights that an adapter was trained on.  [default: those that it fits]")
def add(name: str, location: str, base: str | None) -> None:
    """Register weights or an adapter under a name that workers serve and jobs ask for.

    Every worker that serves the name must find them at the same place. A LoRA adapter is merged into
    its base at load; for one from a hub, name its --base.

    \b
    Examples:
      gistmill weights add gemma-3-270m /weights/gemma-3-270m
      gistmill weights add reports adapters/reports
    """
    from models.session import open_transaction
    from workers.weights.registration import register_weights

    with explain_engine(), open_transaction(read_settings().require_database_url()) as session:
        row = register_weights(session, name, location, base=base)
        of = f" of {row.base}" if row.base else ""
        click.echo(f"{name}: {row.kind}{of}, {row.fingerprint[:12]}; serve it with: gistmill worker --name {name}")


@click.command()
@click.argument("adapter", metavar="NAME|FOLDER")
@click.option("--output", "-o", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder.")
@click.option("--base", default=PACKAGED, show_default=True, help="Weights to merge a FOLDER into.")
@click.option(
    "--dtype",
    type=click.Choice(["base", "float32"]),
    default="base",
    show_default=True,
    help="Of the merged tensors: float32 rounds nothing, and is twice as large as a base of 16 bits.",
)
@click.option("--name", callback=check_name, help="Also register the merged weights under this name.")
def merge(adapter: str, output: Path, base: str, dtype: str, name: str | None) -> None:
    """Fold an adapter into its base: one folder of safetensors that plain transformers loads.

    The folder has the tokenizer, and in gistmill.json the prompt format that the adapter was trained with. Of weights
    that also read images or sound it has the text network alone.

    \b
    Examples:
      gistmill weights merge reports --output merged/reports --name reports-merged
      gistmill weights merge adapters/reports --base /weights/gemma-3-270m --output merged/again
    """
    from models.session import open_transaction
    from workers.finetuning.base_weights import locate_adapter
    from workers.finetuning.merge import MergedDtype, merge_adapter
    from workers.weights.registration import register_trained

    settings = read_settings()
    with explain_engine():
        found, folder = locate_adapter(settings, adapter, base=base)
        merge_adapter(found.folder, folder, output, dtype=MergedDtype(dtype))
        click.echo(f"merged weights in {output}")
        if name is not None:
            with open_transaction(settings.require_database_url()) as session:
                register_trained(session, name, output, base=found)
            click.echo(f"registered as {name}; serve them with: gistmill worker --name {name}")
