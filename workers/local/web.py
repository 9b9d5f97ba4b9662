"""Programs of a single-machine cluster that people open in a browser: the HTTP server and Flower, and their ports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from models.settings import Settings
from workers.errors import FinalStartError
from workers.local.home import free_ports, is_port_free
from workers.local.supervisor import Program

Report = Callable[[str], None]
# Compared, not listened on.
LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nosec B104


def choose_port(settings: Settings, setting: str, program: str, *, report: Report) -> int:
    """Return the port of a setting, or a free one if another program has the default one.

    Args:
        settings: settings of this cluster.
        setting: name of the setting.
        program: name of the program that takes the port, for people.
        report: called with a sentence about another port than the default one.

    Raises:
        FinalStartError: another program has the port that the settings name.
    """
    port = int(getattr(settings, setting))
    if port and is_port_free(port):
        return port
    if port and setting in settings.model_fields_set:
        raise FinalStartError(
            f"another program listens on port {port}; set GISTMILL_{setting.upper()} to a free one, or to 0 for any"
        )
    (free,) = free_ports(1)
    if port:
        report(f"another program listens on port {port}, so {program} takes {free}")
    return free


def describe_http(settings: Settings, port: int, environment: Mapping[str, str]) -> Program:
    """Return the program of ``gistmill serve``."""
    address = {"GISTMILL_SERVE_HOST": settings.serve_host, "GISTMILL_SERVE_PORT": str(port)}
    return Program("http", [sys.executable, "-m", "gistmill", "serve"], environment={**environment, **address})


def describe_http_url(settings: Settings, port: int) -> str:
    """Return the address at which this machine reaches the HTTP server."""
    # An address of all interfaces is none to connect to.
    host = LOOPBACKS.get(settings.serve_host, settings.serve_host)
    return f"http://{host}:{port}"
