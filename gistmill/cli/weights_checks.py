"""What the commands about weights share: names, the packaged weights, and errors of the engine as sentences."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from models.settings import PACKAGED, WEIGHTS_NAME
from workers.errors import ServerStartError, ServingError


def check_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse a name that could not be part of a queue's."""
    if value is not None and not re.fullmatch(WEIGHTS_NAME, value):
        raise click.BadParameter(
            f"{value!r} is no name for weights; use up to 63 letters, digits, dots, dashes and underscores",
            context,
            parameter,
        )
    return value


def prepare_weights(weights: str) -> None:
    """Convert the packaged weights in a process of its own, so that this one never holds them in memory.

    Raises:
        Exit: it failed, and has said why.
        ServerStartError: it was killed.
    """
    if weights != PACKAGED:
        return
    converted = subprocess.run([sys.executable, "-m", "gistmill.cli.prepare"], check=False)
    if converted.returncode < 0:
        raise ServerStartError(
            f"converting the packaged weights was ended by signal {-converted.returncode}; "
            "free some memory and try again"
        )
    if converted.returncode:
        raise click.exceptions.Exit(converted.returncode)


@contextmanager
def explain_engine() -> Iterator[None]:
    """Turn an error of the engine into one that the command line prints.

    Raises:
        ServingError: in the place of any WeightsError.
    """
    from workers.weights.errors import WeightsError

    try:
        yield
    except WeightsError as error:
        raise ServingError(str(error)) from error
