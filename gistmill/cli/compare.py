"""Command ``gistmill compare``: compare two batches over the same documents."""

from __future__ import annotations

from dataclasses import asdict

import click

from gistmill.cli.output import json_option, list_names, print_json, print_table
from models.base import Json
from producer.wording import count


@click.command()
@click.argument("first")
@click.argument("second")
@json_option
def compare(first: str, second: str, *, as_json: bool) -> None:
    """Compare two batches over the same documents: strategies, styles or weights.

    For each measure that both have: the means, and the mean of the paired differences (second less
    first) with its 95 % bootstrap interval. What could not be paired is named.

    Summaries of two sets of weights that had the same name one after the other are never mixed:
    each pair of weights is compared by itself, that of most documents first.

    \b
    Examples:
      gistmill compare nightly weekly
      gistmill compare nightly weekly --json
    """
    from gistmill.cli.database import open_client

    with open_client() as client:
        sides = [client.batch(name) for name in (first, second)]
        found = client.compare(*sides)
    compared = {"first": sides[0].name, "second": sides[1].name, **asdict(found)}
    if as_json:
        print_json(compared)
    else:
        print_comparison(compared)


def print_comparison(found: Json) -> None:
    """Print the means and paired differences of two batches, and the documents left out."""
    first, second = found["first"], found["second"]
    for part in (found, *found["others"]):
        if part is not found:
            click.echo("\nand, apart because other weights had the same name then:")
        click.echo(f"{count(part['documents'], 'document')} in both {first} and {second}")
        for name, weights in zip((first, second), part["weights"], strict=True):
            click.echo(f"  {name} by {weights}")
        columns = ("measure", "documents", first, second, "difference", "95 % interval", "")
        rows = [_describe_difference(difference) for difference in part["differences"]]
        print_table(columns, rows, flexible={first: 10, second: 10, "measure": 16}, droppable=("documents",))
        for remark in part["remarks"]:
            click.echo(remark)
    for reason, sources in found["unpaired"].items():
        click.echo(f"left out, {reason}: {list_names(sources)}")


def _describe_difference(difference: Json) -> tuple[object, ...]:
    from workers.comparison import MIN_PAIRS

    interval = difference["difference"]
    if interval["count"] < MIN_PAIRS:
        remark = "too few documents"
    else:
        remark = "" if interval["low"] > 0 or interval["high"] < 0 else "may be chance"
    return (
        difference["measure"],
        interval["count"],
        f"{difference['first']:,.3f}",
        f"{difference['second']:,.3f}",
        f"{interval['value']:+,.3f}",
        f"{interval['low']:+,.3f} to {interval['high']:+,.3f}",
        remark,
    )
