"""Program of Flower, which shows the tasks of the workers of this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.setting_names import SERVED_NAMES
from workers.local.supervisor import Program


def describe_flower(
    folder: Path, broker_url: str, names: Sequence[str], *, port: int, environment: Mapping[str, str]
) -> Program:
    """Return the program of Flower.

    Args:
        folder: of its database.
        broker_url: address of the broker.
        names: of the weights that are served, whose queues it counts.
        port: on this machine.
        environment: environment variables of every process.
    """
    command = [
        *(sys.executable, "-m", "celery", "--app", "models.flower_app", "flower"),
        *("--address=127.0.0.1", f"--port={port}", "--persistent=True", f"--db={folder / 'flower.db'}"),
        "--state_save_interval=10000",
        # A task's arguments are shown as its document, batch and step.
        "--tasks_columns=name,args,state,received,started,runtime,worker",
    ]
    # In the environment: command lines are readable by every user of the machine.
    own = {"CELERY_BROKER_URL": broker_url, SERVED_NAMES: " ".join(names)}
    return Program("flower", command, environment={**environment, **own})
