from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from gistmill import make_group
from models.errors import SettingsError, UnreachableError
from producer.cli.front import ExitCode, run


def command_that(raises: BaseException) -> click.Command:
    def callback() -> None:
        raise raises

    return click.Command("broken", callback=callback)


@pytest.mark.parametrize(("error", "code"), [(UnreachableError("x is away"), 1), (SettingsError("x is wrong"), 2)])
def test_an_error_becomes_one_sentence_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command_that(error), name="gistmill", arguments=[]) == code
    assert capsys.readouterr().err == f"gistmill: error: {error}\n"


def test_an_interruption_says_what_it_left_and_gives_130(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(command_that(KeyboardInterrupt("stopped; 3 jobs are in")), name="gistmill", arguments=[])

    assert code == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.strip() == "gistmill: stopped; 3 jobs are in"


def test_the_nearest_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["sumbit"]) == ExitCode.USAGE
    assert "Did you mean 'submit'?" in capsys.readouterr().err


def test_the_nearest_option_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["submit", "x", "--stategy", "refine"]) == ExitCode.USAGE
    assert "'--strategy'" in capsys.readouterr().err


def test_a_wrong_value_lists_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["submit", "x", "--strategy", "mapreduce"]) == ExitCode.USAGE
    assert "'map-reduce'" in capsys.readouterr().err


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=[]) == ExitCode.USAGE
    assert "Usage: gistmill" in capsys.readouterr().out


@pytest.mark.parametrize("lines", [10, 100_000])
def test_a_reader_that_goes_away_ends_the_command_quietly(lines: int) -> None:
    script = (
        "import click, sys; from producer.cli.front import run\n"
        f"command = click.Command('x', callback=lambda: [click.echo('line') for _ in range({lines})])\n"
        "sys.exit(run(command, name='x', arguments=[]))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")
