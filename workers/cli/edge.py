"""What the commands about weights share: names that can be served, and errors of the engine as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

from models.settings import WEIGHTS_NAME


def check_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse a name that could not be part of a queue's."""
    if value is not None and not re.fullmatch(WEIGHTS_NAME, value):
        raise click.BadParameter(
            f"{value!r} is no name for weights; use up to 63 letters, digits, dots, dashes and underscores",
            context,
            parameter,
        )
    return value


@contextmanager
def explain_engine() -> Iterator[None]:
    """Turn an error of the engine into one that the command line prints.

    Raises:
        ServingError: in the place of any EngineError.
    """
    from workers.engine.errors import EngineError
    from workers.errors import ServingError

    try:
        yield
    except EngineError as error:
        raise ServingError(str(error)) from error
