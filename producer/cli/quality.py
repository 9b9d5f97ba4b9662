"""What ``evaluate`` and ``compare`` print for people; both hand over plain values."""

from __future__ import annotations

from collections.abc import Sequence

import click

from models.base import Json
from producer.cli.terminal import clean_line, count, print_table

# Names of unmatched documents that fit a line; --json has all of them.
SHOWN_NAMES = 10


def print_comparison(found: Json) -> None:
    """Print two batches side by side: means, paired differences, and what was left out."""
    first, second = found["first"], found["second"]
    click.echo(f"{count(found['documents'], 'document')} in both {first} and {second}")
    columns = ("measure", "documents", first, second, "difference", "95 % interval", "")
    print_table(columns, [_describe_difference(each) for each in found["differences"]])
    for reason, sources in found["unpaired"].items():
        click.echo(f"left out, {reason}: {_list_names(sources)}")
    for remark in found["remarks"]:
        click.echo(remark)


def print_scores(found: Json) -> None:
    """Print mean scores with their intervals, and what did not match."""
    click.echo(f"batch {found['batch']}: {count(found['scored'], 'summary', 'summaries')} scored")
    rows = [
        (name, f"{mean['value']:.4f}", f"{mean['low']:.4f} to {mean['high']:.4f}")
        for name, mean in found["means"].items()
    ]
    print_table(("metric", "mean F1", "95 % interval"), rows)
    for source, reason in found["not_measurable"].items():
        click.echo(clean_line(f"not measurable, {source}: {reason}"))
    left_out = {
        "without a reference": found["jobs_without_reference"],
        "references without a job": found["references_without_job"],
        "left out while they are being checked": found["being_checked"],
    }
    for words, names in left_out.items():
        if names:
            click.echo(f"{words}: {_list_names(names)}")


def _describe_difference(each: Json) -> tuple[object, ...]:
    interval = each["difference"]
    is_sure = interval["low"] > 0 or interval["high"] < 0
    return (
        each["measure"],
        interval["count"],
        f"{each['first']:,.3f}",
        f"{each['second']:,.3f}",
        f"{interval['value']:+,.3f}",
        f"{interval['low']:+,.3f} to {interval['high']:+,.3f}",
        "" if is_sure else "may be chance",
    )


def _list_names(names: Sequence[str]) -> str:
    """Return how many there are and the first of them."""
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    return clean_line(f"{len(names):,} ({', '.join(names[:SHOWN_NAMES])}{more})")
