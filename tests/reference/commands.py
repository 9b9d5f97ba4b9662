"""Renders the command line: every command with its help, arguments, options, defaults and examples."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

import click

from gistmill.cli.edge import EXIT_CODES
from gistmill.cli.lazy import LazyGroup
from gistmill.cli.main import CLUSTER_COMMANDS, COMMANDS, make_group

INTRODUCTION = """\
<!-- Written by `make docs` from gistmill/cli; edit that. -->

# Command line

`gistmill COMMAND --help` prints the same in the terminal. Results go to standard output, progress and errors to
standard error. [configuration.md](configuration.md) lists the environment variables.
"""
WIDTH = 120
# An option's help ends with its default, where click cannot know it.
DEFAULT = re.compile(r"\s*\[default: (.+)\]$")
EXIT_CODE = re.compile(r"(\d+) (.+?)(?=, \d+ |\.$)")
RANGE_TYPES = (click.IntRange, click.FloatRange)


def render_commands() -> str:
    """Return docs/cli.md."""
    group = make_group()
    codes = [f"| {code} | {words} |" for code, words in EXIT_CODE.findall(EXIT_CODES)]
    parts = [INTRODUCTION, *_list_sections(), "\n".join(("## Exit codes\n\n| code | meaning |\n|---|---|", *codes, ""))]
    with click.Context(group, info_name="gistmill") as context:
        parts += _render_group(group, context)
    return "\n".join(parts)


def _list_sections() -> Iterator[str]:
    """Yield a table of each section's commands, in the order of ``gistmill --help``."""
    entries = COMMANDS | CLUSTER_COMMANDS
    for section in dict.fromkeys(entry.section for entry in entries.values()):
        rows = [
            f"| [{name}](#gistmill-{name}) | {entry.help} |"
            for name, entry in entries.items()
            if entry.section == section
        ]
        yield "\n".join((f"| {section} | |\n|---|---|", *rows, ""))


def _render_group(group: LazyGroup, context: click.Context) -> Iterator[str]:
    """Yield the commands of a group by name, each behind its subcommands' parent."""
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        assert command is not None
        with click.Context(command, info_name=name, parent=context) as inner:
            yield _render_command(command, inner)
            if isinstance(command, LazyGroup):
                yield from _render_group(command, inner)


def _render_command(command: click.Command, context: click.Context) -> str:
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    parts = [f"## {context.command_path}", f"```text\n{usage}\n```", *_render_help(command.help or "")]
    options = sorted(
        (option for option in command.get_params(context) if isinstance(option, click.Option)), key=_get_key
    )
    rows = [_render_option(option, context) for option in options if not {"--help", "--version"} & {*option.opts}]
    if rows:
        parts.append("\n".join(("| option | values | default | meaning |", "|---|---|---|---|", *rows)))
    return "\n\n".join(parts) + "\n"


def _render_help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; the block that click must not wrap holds examples of a shell."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b"):
            yield "\n".join(textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False))
            continue
        title, *lines = paragraph.strip("\b\n").splitlines()
        yield title
        yield "\n".join(("```sh", *(line.strip() for line in lines), "```"))


def _get_key(option: click.Option) -> str:
    return max(option.opts, key=len)


def _render_option(option: click.Option, context: click.Context) -> str:
    words = option.help or ""
    told = DEFAULT.search(words)
    default = told[1] if told else ""
    if not default and option.show_default and option.default is not None:
        default = f"{option.default}"
    if option.required:
        default = "required"
    # A switch has second names, which turn it off.
    names = ", ".join(f"`{name}`" for name in (*sorted(option.opts, key=len), *option.secondary_opts))
    repeated = " May be repeated." if option.multiple and "repeated" not in words else ""
    cells = (names, _describe_values(option, context), default, f"{DEFAULT.sub('', words)}{repeated}".strip())
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _describe_values(option: click.Option, context: click.Context) -> str:
    """Return what an option takes; nothing for a flag."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    if isinstance(option.type, RANGE_TYPES):
        kind = "whole number" if isinstance(option.type, click.IntRange) else "number"
        return f"{kind} {_describe_range(option.type)}".strip()
    return f"`{option.make_metavar(context)}`"


def _describe_range(kind: click.IntRange | click.FloatRange) -> str:
    low = "" if kind.min is None else f"{'>' if kind.min_open else '≥'} {kind.min:g}"
    high = "" if kind.max is None else f"{'<' if kind.max_open else '≤'} {kind.max:g}"
    return ", ".join(filter(None, (low, high)))
