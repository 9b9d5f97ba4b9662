"""Command ``gistmill worker``: run one supervised process per GPU of this machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from gistmill.cli.weights_checks import explain_engine, prepare_weights
from models.session import open_transaction
from models.settings import VLLM, read_settings
from workers.local.daemon import REMOVE_FOLDER
from workers.local.launch import choose_gpus, count_workers, list_gpus, plan_processes
from workers.local.ports import choose_metrics_port
from workers.local.supervisor import Supervisor
from workers.local.vllm import check_vllm
from workers.serving import find_trained_prompt
from workers.weights.registration import resolve_name


@click.command()
@click.option("--gpus", metavar="0,2", help="Indexes of the GPUs to use; all visible ones by default.")
@click.option("--engine", metavar="ENGINE", help="transformers, vllm, or addresses of servers that speak OpenAI's API.")
@click.option("--slots", type=click.IntRange(1, 1024), help="Requests that one process generates at a time.")
@click.option(
    "--name", "names", metavar="NAME", multiple=True, help="Name that jobs ask for the weights by; may be repeated."
)
def worker(gpus: str | None, engine: str | None, slots: int | None, names: tuple[str, ...]) -> None:
    """Serve jobs on this machine: one process per GPU, or on the CPU one per name.

    With GISTMILL_DEVICE_MAP=auto it is one process per name, with its weights spread over its GPUs.

    With --engine vllm every GPU has a vLLM server, which serves all names, if they are one base and its
    adapters. With an address no weights are loaded here: only their tokenizer is read.

    A name that `gistmill weights add` has registered says which weights it stands for; any other
    name is given to the weights of GISTMILL_WEIGHTS. With several names the GPUs are dealt out.

    A process that dies is started again, unless it says that its weights can never be served here;
    when no other is left, the command ends with code 1. SIGTERM drains: running steps finish, or are given back
    after GISTMILL_DRAIN_SECONDS.

    \b
    Examples:
      gistmill worker
      gistmill worker --gpus 0,2 --slots 32
      gistmill worker --name gemma-3-270m --name reports
      GISTMILL_WEIGHTS=/weights/gemma-2b-it gistmill worker --name gemma-2b
      gistmill worker --engine vllm --name gemma-3-270m --name reports
      gistmill worker --engine http://gpu1:8000/v1,http://gpu2:8000/v1 --slots 128
    """
    for name, value in (("ENGINE", engine), ("SLOTS", slots)):
        if value is not None:
            os.environ[f"GISTMILL_{name}"] = str(value)
    settings = read_settings()
    if settings.engine == VLLM:
        check_vllm(settings)
    settings.require_broker_url()
    with open_transaction(settings.require_database_url()) as session:
        wanted = [resolve_name(read_settings(weights_name=name), session) for name in names or (settings.weights_name,)]
    for resolved in wanted:
        prepare_weights(resolved.weights)
        with explain_engine():
            find_trained_prompt(resolved)
    chosen = choose_gpus(list_gpus(os.environ), gpus)
    processes = count_workers(settings, chosen, len(wanted))
    settings = choose_metrics_port(settings, processes=processes, report=click.echo)
    # An error removes the folder; the supervisor, which this process becomes, does so at its end.
    with tempfile.TemporaryDirectory(prefix="gistmill-worker-") as name:
        folder = Path(name)
        programs = plan_processes(settings, chosen, folder, names=names, is_automatic=True)
        command = [*Supervisor(folder, programs, logs=None).command, REMOVE_FOLDER]
        # Replace this process by the supervisor, so that it receives signals directly.
        os.execv(command[0], command)  # noqa: S606 - our own interpreter
