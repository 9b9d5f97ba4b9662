"""Error handling of the command line: runs a command and turns its errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from enum import IntEnum

import click

from gistmill.errors import explain_missing
from models.errors import GistmillError
from models.full_disk import REMEDY, find_write_error


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    # A part is done: documents could not be read, or jobs are partial, failed, cancelled or in need of review.
    INCOMPLETE = 3
    # The shells' code for a process ended by SIGINT.
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 done, 1 failed at run time, 2 wrong usage and nothing was done, 3 done in part because documents "
    "could not be read or jobs are partial, failed, cancelled or in need of review, 130 stopped by Ctrl-C."
)


def run(command: click.Command, *, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        command: group of all commands.
        name: program name in usage lines.
        arguments: arguments without the program name; those of the process by default.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        _check_encoding(given)
        with explain_missing("this command"):
            result = command.main(given, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.USAGE
    except click.UsageError as error:
        return _explain_usage(error)
    except click.ClickException as error:
        return fail(error.format_message(), error.exit_code)
    except GistmillError as error:
        return fail(str(error), error.exit_code)
    except click.Abort as abort:
        # click wraps the KeyboardInterrupt, whose message describes the state of the work.
        click.echo(f"gistmill: {str(abort.__cause__ or '') or 'stopped'}", err=True)
        # CPython remembers an interrupt that passed through exec(), as in an import of a dataclass, and `python -m`
        # would end by SIGINT in place of the exit code. Any later exec() clears that.
        exec("")  # noqa: S102  # nosec B102
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe (`| head`).
        _drop_output()
        return ExitCode.FAILED
    except OSError as error:
        reason = find_write_error(error)
        if reason is None:
            raise
        _drop_output()
        # Without a name it is the output, or a temporary file of a library.
        place = error.filename or f"the output, or a file in {tempfile.gettempdir()},"
        return fail(f"{place} cannot be written: {reason}; {REMEDY}", ExitCode.FAILED)
    return result if isinstance(result, int) else ExitCode.DONE


def fail(sentence: str, code: int) -> int:
    """Print an error and return its exit code."""
    click.echo(f"gistmill: error: {sentence}", err=True)
    return code


def _check_encoding(arguments: Sequence[str]) -> None:
    """Reject arguments that are not UTF-8, which neither the database nor a terminal can hold."""
    for argument in arguments:
        # Python decodes an invalid byte as a lone surrogate.
        if any("\ud800" <= character <= "\udfff" for character in argument):
            shown = argument.encode("utf-8", "replace").decode()
            raise click.UsageError(f"the argument {shown!r} is not UTF-8; name a file by its folder or a glob instead")


def warn_of_names(arguments: Sequence[str]) -> None:
    """Warn of names in the environment and in .env that are no settings; a help text reads no settings."""
    if not arguments or {"-h", "--help", "--version"} & {*arguments}:
        return
    from models.setting_names import describe_unknown, list_names

    for sentence in describe_unknown(list_names()):
        click.echo(f"gistmill: warning: {sentence}", err=True)


def _drop_output() -> None:
    """Redirect the rest of the output to the null device, because Python's flush at exit would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain_usage(error: click.UsageError) -> int:
    code = fail(" ".join(error.format_message().split()), ExitCode.USAGE)
    if error.ctx is not None:
        click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
    return code
