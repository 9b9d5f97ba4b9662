"""Output of commands: lines, tables and JSON, without control characters from documents."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from producer.plain import dump_json
from producer.wording import clean_line, clean_text

# Names of documents in one line; --json prints all.
SHOWN_NAMES = 10

STATE_COLOURS = {
    "succeeded": "green",
    "done": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "running": "cyan",
}


def style_state(state: str) -> str:
    """Return a state in its colour."""
    return click.style(state, fg=STATE_COLOURS.get(state))


def print_text(text: str = "") -> None:
    """Print text of a document, with control characters replaced."""
    click.echo(clean_text(text))


def print_fields(fields: dict[str, object]) -> None:
    """Print one name and value per line, without None and empty values."""
    shown = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{click.style(name.rjust(width), dim=True)}  {clean_line(value)}")


def print_tokenizers(counts: Mapping[str, int]) -> None:
    """Print the tokenizers of ROUGE with the number of summaries that each read; nothing without a score."""
    names = ", ".join(f"{name} ({number:,})" for name, number in sorted(counts.items()))
    advice = "; scores of different tokenizers are not comparable, and neither is their mean"
    if names:
        click.echo(f"tokenizer: {names}{advice if len(counts) > 1 else ''}")


def print_json(value: object) -> None:
    """Print a value as JSON; dataclasses become objects."""
    click.echo(dump_json(value, indent=2))


def print_json_array(values: Iterable[object]) -> None:
    """Print values as a JSON array, streamed, one per line."""
    separator = "["
    for value in values:
        click.echo(f"{separator}\n{dump_json(value)}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: coloured on a terminal, aligned by spaces elsewhere."""
    cells = [["" if cell is None else clean_line(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich_table(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (columns, *cells):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in row))
    Console().print(table)


def print_warning(sentence: str) -> None:
    """Print a warning on stderr."""
    click.echo(clean_line(f"gistmill: warning: {sentence}"), err=True)


def json_option(function: Any) -> Any:
    """Add the option ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


@contextmanager
def write_whole(output: Path) -> Iterator[BinaryIO]:
    """Write a temporary file that is renamed to ``output`` at the end of the block, or deleted on an error.

    Raises:
        UsageError: the folder does not exist or is not writable.
    """
    try:
        part = tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)  # noqa: SIM115
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written ({error.strerror}); check its folder") from None
    path = Path(part.name)
    try:
        with part:
            yield cast("BinaryIO", part)
        # Temporary files are private; give this one the permissions of a new file.
        path.chmod(0o666 & ~_read_umask())
        path.replace(output)
    except BaseException:
        path.unlink()
        raise


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def list_names(names: Sequence[str]) -> str:
    """Return the number of names and the first of them."""
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    return clean_line(f"{len(names):,} ({', '.join(names[:SHOWN_NAMES])}{more})")
