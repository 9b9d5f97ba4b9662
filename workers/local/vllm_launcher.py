"""Process that starts a vLLM server for the workers of a GPU: ``python -m workers.local.vllm_launcher``.

The supervisor runs it beside the workers and stops it after them, so that they drain first. It ends with the server and
prints the reason in one sentence; code 78 and a file tell the supervisor and the waiting workers that no restart helps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.errors import GistmillError
from models.settings import Settings, read_settings
from workers.errors import FINAL_CODE, choose_end_code
from workers.local.server_process import ServerProcess
from workers.local.vllm import HOST, build_command, check_vllm, choose_environment, find_served
from workers.local.vllm_failures import explain_failure
from workers.service import ENGINE_DIED_CODE
from workers.started_server import StartedServer, find_started_server


def main() -> int:
    """Run a server to its end; return the exit code for the supervisor."""
    parser = argparse.ArgumentParser(prog="python -m workers.local.vllm_launcher")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--name", dest="names", action="append", required=True)
    arguments = parser.parse_args()
    started = find_started_server() or StartedServer(Path("vllm.json"))
    try:
        run_server(read_settings(), started, port=arguments.port, gpus=arguments.gpus, names=arguments.names)
    except GistmillError as error:
        code = choose_end_code(error)
        if code == FINAL_CODE:
            started.write(error=str(error))
        print(f"gistmill: error: {error}", file=sys.stderr, flush=True)
        return code
    return 0


def run_server(settings: Settings, started: StartedServer, *, port: int, gpus: int, names: list[str]) -> None:
    """Start a server, and return when a signal has ended it.

    Raises:
        ServingError: it can never start.
        ServerStartError: it did not start this time.
        ServerDiedError: it started, and ended or stopped answering.
    """
    check_vllm(settings)
    command = build_command(settings, find_served(settings, names), port=port, gpus=gpus)
    server = ServerProcess(
        command,
        started,
        environment=choose_environment(settings, gpus),
        address=f"http://{HOST}:{port}",
        hang_seconds=settings.hang_seconds,
    )
    code = server.run()
    if server.is_stopping:
        return
    if not server.was_ready:
        raise explain_failure(server.last_lines, code)
    raise ServerDiedError(f"vLLM ended with code {code} while it served; it is started again, and its steps with it")


class ServerDiedError(GistmillError):
    """Server that ended while it served; its restart helps."""

    exit_code = ENGINE_DIED_CODE


if __name__ == "__main__":
    sys.exit(main())
