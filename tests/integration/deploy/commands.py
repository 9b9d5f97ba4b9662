"""Checks that a command line of a container or pod is one that the project really has."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gistmill.cli.main import make_group

WORKER_PROCESS = ["python", "-m", "workers"]


def check_command(command: Sequence[str]) -> None:
    """Fail unless a ``gistmill``, ``celery ... flower`` or worker process command line parses."""
    if list(command) == WORKER_PROCESS:
        return
    program, *arguments = command
    {"gistmill": check_gistmill, "celery": check_flower}[program](arguments)


def check_gistmill(arguments: Sequence[str]) -> None:
    """Fail unless a subcommand of that name takes these arguments."""
    group = make_group()
    context = click.Context(group)
    name, command, rest = group.resolve_command(context, list(arguments))
    assert command is not None
    command.make_context(name, list(rest), parent=context)


def check_flower(arguments: Sequence[str]) -> None:
    """Fail unless Flower knows every option."""
    import flower.options  # noqa: F401 - defines them
    from tornado.options import options

    app_option, app, name, *given = arguments
    assert (app_option, app, name) == ("--app", "models.flower_app", "flower")
    known = {option.replace("-", "_") for option in options.as_dict()}
    unknown = [each for each in given if each.partition("=")[0].removeprefix("--").replace("-", "_") not in known]
    assert unknown == []
