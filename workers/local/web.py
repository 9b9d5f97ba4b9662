"""The HTTP server as a program of a single-machine cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from models.settings import Settings
from workers.local.supervisor import Program


def describe_http(settings: Settings, port: int, environment: Mapping[str, str]) -> Program:
    """Return the program of ``gistmill serve``."""
    address = {"GISTMILL_SERVE_HOST": settings.serve_host, "GISTMILL_SERVE_PORT": str(port)}
    return Program("http", [sys.executable, "-m", "gistmill", "serve"], environment={**environment, **address})
