"""Plans of documents on the terminal: what each job would do, and how long that takes at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from producer.cli.terminal import print_json, print_table
from producer.cli.times import format_seconds

COLUMNS = ("source", "strategy", "splitter", "chunks", "calls", "depth", "prompt_tokens", "completion_tokens")


def print_plans(plans: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print a table of plans, then why each is as it is, and where the times come from."""
    if as_json:
        print_json(plans)
        return
    rows = [[*(str(plan[column]) for column in COLUMNS), format_seconds(plan["seconds"])] for plan in plans]
    print_table((*COLUMNS, "time"), rows)
    for reason in dict.fromkeys(f"{plan['strategy']}: {plan['reason']}; {plan['split_reason']}" for plan in plans):
        click.echo(reason)
    for origin in dict.fromkeys(plan["rates"]["origin"] for plan in plans):
        total = format_seconds(sum(plan["seconds"] for plan in plans))
        click.echo(f"time: at most, each job alone on one worker ({total} one after the other), {origin}")
