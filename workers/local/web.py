"""The HTTP server as a program of a single-machine cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from models.settings import Settings
from workers.local.supervisor import Program

# Compared, not listened on.
LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104


def describe_http(settings: Settings, port: int, environment: Mapping[str, str]) -> Program:
    """Return the program of ``gistmill serve``."""
    address = {"GISTMILL_SERVE_HOST": settings.serve_host, "GISTMILL_SERVE_PORT": str(port)}
    return Program("http", [sys.executable, "-m", "gistmill", "serve"], environment={**environment, **address})


def describe_http_url(settings: Settings, port: int) -> str:
    """Return the address at which this machine reaches the HTTP server."""
    # An address of all interfaces is none to connect to.
    host = LOOPBACKS.get(settings.serve_host, settings.serve_host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
