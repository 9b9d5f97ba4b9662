from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from gistmill.cli.edge import ExitCode, run
from gistmill.cli.main import make_group
from models.errors import SettingsError, UnreachableError
from models.full_disk import REMEDY


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


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["--version"]) == ExitCode.DONE
    assert capsys.readouterr().out == f"gistmill {version('gistmill')}\n"


def test_a_library_that_only_the_whole_installation_has_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    error = ModuleNotFoundError("No module named 'torch.cuda'", name="torch.cuda")

    assert run(command_that(error), name="gistmill", arguments=[]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert said.startswith("gistmill: error: this command needs torch.cuda, and only the producer's part is installed")
    assert len(said.splitlines()) == 1


def test_a_missing_module_of_our_own_is_no_matter_of_the_installation() -> None:
    with pytest.raises(ModuleNotFoundError):
        run(command_that(ModuleNotFoundError("gone", name="workers.gone")), name="gistmill", arguments=[])


def test_a_wrong_choice_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["completion"]) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines()[0].endswith("Choose from: bash, zsh, fish")


def test_an_interruption_says_what_it_left_and_gives_130(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(command_that(KeyboardInterrupt("stopped; 3 jobs are in")), name="gistmill", arguments=[])

    assert code == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.strip() == "gistmill: stopped; 3 jobs are in"


def test_an_interruption_during_an_import_gives_130_under_python_m(tmp_path: Path) -> None:
    """An import runs exec(), after which CPython would end ``python -m`` by SIGINT."""
    (tmp_path / "interrupted.py").write_text(
        "import sys, click\n"
        "from gistmill.cli.edge import run\n"
        "def work(): exec('raise KeyboardInterrupt')\n"
        "sys.exit(run(click.Command('work', callback=work), name='gistmill', arguments=[]))\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path.cwd())])

    done = subprocess.run([sys.executable, "-m", "interrupted"], env={**os.environ, "PYTHONPATH": paths}, check=False)

    assert done.returncode == ExitCode.INTERRUPTED


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


def test_an_argument_that_is_no_text_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group(), name="gistmill", arguments=["show", os.fsdecode(b"caf\xe9")]) == ExitCode.USAGE
    assert "the argument 'caf?' is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("lines", [10, 100_000])
def test_a_full_disk_is_one_sentence(lines: int) -> None:
    script = (
        "import click, sys; from gistmill.cli.edge import run\n"
        f"command = click.Command('x', callback=lambda: [click.echo('line') for _ in range({lines})])\n"
        "sys.exit(run(command, name='x', arguments=[]))"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith(b"gistmill: error: the output, or a file in ")
    assert done.stderr.endswith(b" cannot be written: No space left on device; " + f"{REMEDY}\n".encode())
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("lines", [10, 100_000])
def test_a_reader_that_goes_away_ends_the_command_quietly(lines: int) -> None:
    script = (
        "import click, sys; from gistmill.cli.edge import run\n"
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
