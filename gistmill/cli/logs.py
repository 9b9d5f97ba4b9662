"""Command ``gistmill logs``: the last lines of what the programs of the cluster have logged."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import click

from gistmill.cli.edge import ExitCode, fail
from gistmill.cli.options import COUNT

# Seconds between two looks at the files that are followed.
INTERVAL = 0.3


@click.command()
@click.argument("program", required=False)
@click.option("--lines", "-n", type=COUNT, default=20, show_default=True, help="Lines of each program.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is added, until Ctrl-C.")
def logs(program: str | None, lines: int, *, follow: bool) -> int:
    """Print the last log lines of the programs that `gistmill up` runs, program by program, or of one of them.

    \b
    Examples:
      gistmill logs
      gistmill logs cpu0 --lines 200
      gistmill logs --follow
    """
    from models.settings import read_settings

    folder = read_settings().home.expanduser() / "logs"
    files = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if not files:
        return fail(f"there are no logs in {folder}; `gistmill up` writes them", ExitCode.FAILED)
    if program is not None and program not in files:
        return fail(f"there is no log of {program!r}; there are {', '.join(files)}", ExitCode.USAGE)
    chosen = {name: path for name, path in files.items() if program in (None, name)}
    ends = {path: _print_tail(name, path, lines) for name, path in chosen.items()}
    while follow:
        time.sleep(INTERVAL)
        ends = {path: _print_new(name, path, ends[path]) for name, path in chosen.items()}
    return ExitCode.DONE


def _print_tail(name: str, path: Path, lines: int) -> int:
    """Print the last lines of a file and return the position of its end."""
    with path.open(errors="replace") as file:
        for line in deque(file, maxlen=lines):
            _print_line(name, line)
        return file.tell()


def _print_new(name: str, path: Path, position: int) -> int:
    """Print what was added to a file after a position, from its beginning if it is a new one; return its end."""
    with path.open(errors="replace") as file:
        file.seek(position if path.stat().st_size >= position else 0)
        for line in file:
            _print_line(name, line)
        return file.tell()


def _print_line(name: str, line: str) -> None:
    from producer.wording import clean_text

    click.echo(f"{name} | {clean_text(line.rstrip())}")
