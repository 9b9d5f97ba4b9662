"""Output of commands: lines, tables and JSON, without control characters from documents."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import click

from models.full_disk import explain_full_disk, find_write_error
from producer.plain import dump_json
from producer.wording import clean_line, clean_text

if TYPE_CHECKING:
    from gistmill.cli.fitting import FittedTable

# Names of documents in one line; --json prints all.
SHOWN_NAMES = 10
# Characters of a cell that is not broken where a table is wider than the terminal.
SHORT = 16

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
        print_wrapped(f"{name.rjust(width)}  {clean_line(value)}", indent=width + 2, dim=width)


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


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    flexible: Mapping[str, int] | None = None,
    droppable: Sequence[str] = (),
) -> None:
    """Print a table: fitted to a terminal, whole elsewhere.

    Args:
        columns: headings.
        rows: values.
        flexible: columns whose texts may be cut on a terminal, with the width that each keeps.
        droppable: columns that may be left out on a terminal, the first one first.
    """
    from gistmill.cli.fitting import fit_table

    cells = [["" if cell is None else clean_line(str(cell)) for cell in row] for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    fitted = fit_table(columns, cells, width=width, flexible=flexible or {}, droppable=droppable)
    if fitted.width > width:
        _print_wrapped(columns, cells)
    else:
        _print_fitted(fitted)


def _print_fitted(table: FittedTable) -> None:
    from gistmill.cli.fitting import GAP, pad_cell

    for line in (table.columns, *table.rows):
        padded = [*map(pad_cell, line[:-1], table.widths[:-1]), *line[-1:]]
        if line is table.columns:
            styled = [click.style(cell, bold=True) if cell else "" for cell in padded]
        else:
            colours = [STATE_COLOURS.get(cell.rstrip()) for cell in padded]
            pairs = zip(padded, colours, strict=True)
            styled = [click.style(cell, fg=colour) if colour else cell for cell, colour in pairs]
        click.echo((" " * GAP).join(styled).rstrip())
    if table.hidden:
        shown = f"not shown for lack of width: {', '.join(table.hidden)}"
        click.echo(click.style(shown, dim=True))


def _print_wrapped(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print a table that does not fit with its long cells on several lines."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for place, name in enumerate(columns):
        is_short = max(len(name), *(len(row[place]) for row in cells)) <= SHORT
        table.add_column(name, overflow="fold", no_wrap=is_short)
    for row in cells:
        table.add_row(*(Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in row))
    Console().print(table)


def print_wrapped(line: str, *, indent: int, dim: int = 0) -> None:
    """Print a line; on a terminal it is broken between words.

    Args:
        line: the line.
        indent: spaces before its continuation.
        dim: number of its first characters to print dimmed.
    """
    from gistmill.cli.fitting import wrap_styled

    if dim:
        line = click.style(line[:dim], dim=True) + line[dim:]
    if sys.stdout.isatty():
        line = "\n".join(wrap_styled(line, shutil.get_terminal_size().columns, indent=indent))
    click.echo(line)


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
        FullDiskError: its disk is full.
    """
    with explain_full_disk(output):
        part = _open_part(output)
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


def _open_part(output: Path) -> IO[bytes]:
    try:
        return tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)
    except OSError as error:
        if find_write_error(error) is not None:
            raise
        raise click.UsageError(f"{output} cannot be written ({error.strerror}); check its folder") from None


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def list_names(names: Sequence[str]) -> str:
    """Return the number of names and the first of them."""
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    return clean_line(f"{len(names):,} ({', '.join(names[:SHOWN_NAMES])}{more})")
