"""Shared parts of the commands about weights: check of names, conversion of packaged weights, errors of the engine."""

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
    """Reject a name that cannot be part of a queue name."""
    if value is not None and not re.fullmatch(WEIGHTS_NAME, value):
        raise click.BadParameter(
            f"{value!r} is no name for weights; use up to 63 letters, digits, dots, dashes and underscores",
            context,
            parameter,
        )
    return value


def prepare_weights(weights: str) -> None:
    """Convert the packaged weights in a subprocess, so that this process never holds them in memory.

    Raises:
        Exit: the conversion failed and printed the reason.
        ServerStartError: the conversion was killed.
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
    """Translate errors of weights and engine to an error that the command line prints.

    Raises:
        ServingError: replaces a WeightsError.
    """
    from workers.weights.errors import WeightsError

    try:
        yield
    except WeightsError as error:
        raise ServingError(str(error)) from error
