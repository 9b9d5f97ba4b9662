"""Command whose help lists its options by subject, in sections with a heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class SectionedCommand(click.Command):
    """Command with options in sections; an option of none stands in the last section.

    Args:
        sections: names of parameters by the heading of their section.
    """

    def __init__(self, *arguments: Any, sections: Mapping[str, Sequence[str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, in the order of the sections' names."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        shown = {option.name: record for option in options if (record := option.get_help_record(ctx))}
        for heading, names in self.sections.items():
            records = [shown.pop(name) for name in names if name in shown]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        with formatter.section("Other"):
            formatter.write_dl(list(shown.values()))
