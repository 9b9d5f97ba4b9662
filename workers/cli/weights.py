"""``gistmill weights add`` and ``merge``: give weights a name, and fold an adapter into its base."""

from __future__ import annotations

from pathlib import Path

import click

from models.settings import PACKAGED, read_settings
from workers.cli.edge import check_name, explain_engine


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
    from workers.database import open_transaction
    from workers.registration import register_weights

    with explain_engine(), open_transaction(read_settings()) as session:
        row = register_weights(session, name, location, base=base)
        of = f" of {row.base}" if row.base else ""
        click.echo(f"{name}: {row.kind}{of}, {row.fingerprint[:12]}; serve it with: gistmill worker --name {name}")


@click.command()
@click.argument("adapter", metavar="NAME|FOLDER")
@click.option("--output", "-o", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder.")
@click.option("--base", default=PACKAGED, show_default=True, help="Weights to merge a FOLDER into.")
@click.option("--name", callback=check_name, help="Also register the merged weights under this name.")
def merge(adapter: str, output: Path, base: str, name: str | None) -> None:
    """Fold an adapter into its base: one folder of safetensors that plain transformers loads.

    The folder has the tokenizer, and in gistmill.json the prompt format that the adapter was trained with.

    \b
    Examples:
      gistmill weights merge reports --output merged/reports --name reports-merged
      gistmill weights merge adapters/reports --base /weights/gemma-3-270m --output merged/again
    """
    from workers.database import open_transaction
    from workers.finetuning.merge import merge_adapter
    from workers.locating import locate_adapter
    from workers.registration import register_trained

    settings = read_settings()
    with explain_engine():
        found, folder = locate_adapter(settings, adapter, base=base)
        merge_adapter(found.folder, folder, output)
        click.echo(f"merged weights in {output}")
        if name is not None:
            with open_transaction(settings) as session:
                register_trained(session, name, output, base=found)
            click.echo(f"registered as {name}; serve them with: gistmill worker --name {name}")
