"""``gistmill worker``: one process per GPU of this machine, kept alive."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from models.session import check_database, connect
from models.settings import read_settings
from workers.launch import choose_gpus, list_gpus, plan_processes
from workers.local.supervisor import Supervisor


@click.command()
@click.option("--gpus", metavar="0,2", help="Indexes of the GPUs to use; all visible ones by default.")
@click.option("--slots", type=click.IntRange(1, 1024), help="Requests that one process generates at a time.")
@click.option("--name", "weights_name", help="Name that jobs ask for these weights by.")
def worker(gpus: str | None, slots: int | None, weights_name: str | None) -> None:
    """Serve jobs on this machine: one process per GPU, or one on the CPU.

    A process that dies is started again. SIGTERM drains: running steps finish, or are given back
    after GISTMILL_DRAIN_SECONDS.

    \b
    Examples:
      gistmill worker
      gistmill worker --gpus 0,2 --slots 32
      GISTMILL_WEIGHTS=/weights/gemma-2b-it gistmill worker --name gemma-2b
    """
    given = {"GISTMILL_SLOTS": slots, "GISTMILL_WEIGHTS_NAME": weights_name}
    environment = {name: str(value) for name, value in given.items() if value is not None}
    os.environ.update(environment)
    settings = read_settings()
    settings.require_broker_url()
    check_database(connect(settings.require_database_url(), pool_size=1))
    programs = plan_processes(settings, choose_gpus(list_gpus(os.environ), gpus), is_automatic=True)
    folder = Path(tempfile.mkdtemp(prefix="gistmill-worker-"))
    command = Supervisor(folder, programs, logs=None).command
    # The supervisor takes this process's place, so that signals reach it directly.
    os.execv(command[0], command)  # noqa: S606 - our own interpreter
