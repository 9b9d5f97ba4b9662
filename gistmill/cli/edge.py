"""The edge of the command line: runs a command and turns whatever goes wrong into one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum

import click

from models.errors import GistmillError


class ExitCode(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    # The work has ended, and not all of it succeeded.
    INCOMPLETE = 3
    # As shells report a process that SIGINT ended.
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 done, 1 failed at run time, 2 wrong usage, 3 ended with some jobs partial, failed, cancelled or in "
    "need of review, 130 stopped by Ctrl-C."
)

# Of a disk or a quota that has no room left, or a device that fails.
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
OUR_PACKAGES = ("gistmill", "migrations", "models", "producer", "workers")


def run(command: click.Command, *, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        command: the group of all commands.
        name: what the user typed to start it, for usage lines.
        arguments: without the name; the process's own by default.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        _check_encoding(given)
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
    except ModuleNotFoundError as error:
        return _explain_missing(error)
    except click.Abort as abort:
        # click wraps the KeyboardInterrupt, whose message says what is done and what is not.
        click.echo(f"gistmill: {str(abort.__cause__ or '') or 'stopped'}", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output had enough of it (`| head`).
        _drop_output()
        return ExitCode.FAILED
    except OSError as error:
        if error.errno not in WRITE_ERRORS:
            raise
        _drop_output()
        return fail(f"the output cannot be written: {error.strerror}", ExitCode.FAILED)
    return result if isinstance(result, int) else ExitCode.DONE


def fail(sentence: str, code: int) -> int:
    """Print an error for people and return its exit code."""
    click.echo(f"gistmill: error: {sentence}", err=True)
    return code


def _check_encoding(arguments: Sequence[str]) -> None:
    """Refuse an argument whose bytes are no text: neither the database nor a terminal could hold it."""
    for argument in arguments:
        # Python keeps each byte that it cannot decode as half of a surrogate pair.
        if any("\ud800" <= character <= "\udfff" for character in argument):
            shown = argument.encode("utf-8", "replace").decode()
            raise click.UsageError(f"the argument {shown!r} is not UTF-8; name a file by its folder or a glob instead")


def _drop_output() -> None:
    """Send what is left of the output nowhere: Python would complain while it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain_missing(error: ModuleNotFoundError) -> int:
    """Name the library that only the whole installation has; a module of our own that is missing is a defect."""
    if str(error.name).partition(".")[0] in OUR_PACKAGES:
        raise error
    return fail(
        f"this command needs {error.name}, and only the producer's part is installed here; in Gistmill's folder "
        "run: pip install --constraint constraints.txt '.[local]'",
        ExitCode.FAILED,
    )


def _explain_usage(error: click.UsageError) -> int:
    code = fail(" ".join(error.format_message().split()), ExitCode.USAGE)
    if error.ctx is not None:
        click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
    return code
