"""Command ``gistmill doctor``: examine the installation, the servers and the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from gistmill.cli.edge import ExitCode
from gistmill.cli.output import json_option, print_json, print_wrapped

if TYPE_CHECKING:
    from gistmill.doctor.diagnosis import Diagnosis

COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}
# Width of the condition, and of the subject where it is not longer.
CONDITION_WIDTH, SUBJECT_WIDTH = 6, 16


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    """Say what is reachable, what fits in memory and on disk, and what is missing, with what to do.

    It works before anything is set up, changes nothing, and loads no weights. A note is about
    something that is not needed now; exit code 1 if something that is needed is broken.

    \b
    Examples:
      gistmill doctor
      gistmill doctor --json
    """
    from gistmill.doctor.diagnosis import Condition
    from gistmill.doctor.examination import examine

    found = []
    for diagnosis in examine():
        found.append(diagnosis)
        if not as_json:
            print_diagnosis(diagnosis)
    broken = [diagnosis for diagnosis in found if diagnosis.condition is Condition.BROKEN]
    if as_json:
        print_json({"is_sound": not broken, "diagnoses": found})
    else:
        print_end(broken)
    return ExitCode.FAILED if broken else ExitCode.DONE


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print what was found about a subject, and below it what to do."""
    condition = click.style(diagnosis.condition.ljust(CONDITION_WIDTH), fg=COLOURS[diagnosis.condition])
    indent = CONDITION_WIDTH + SUBJECT_WIDTH + 4
    print_wrapped(f"{condition}  {diagnosis.subject.ljust(SUBJECT_WIDTH)}  {diagnosis.words}", indent=indent)
    if diagnosis.advice:
        print_wrapped(f"{' ' * indent}{diagnosis.advice}", indent=indent)


def print_end(broken: Iterable[Diagnosis]) -> None:
    """Print what of all is broken."""
    subjects = ", ".join(dict.fromkeys(diagnosis.subject for diagnosis in broken))
    click.echo(f"\nbroken: {subjects}" if subjects else "\nnothing is broken")
