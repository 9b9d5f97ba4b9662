"""Address of the HTTP server on this machine, and the answer by which it is known from other programs."""

from __future__ import annotations

from models.settings import Settings

# Compared, not listened on.
LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104
HEALTH_PATH = "/healthz"
HEALTH = {"status": "ok", "server": "gistmill"}


def describe_http_url(settings: Settings, port: int) -> str:
    """Return the address at which this machine reaches the HTTP server."""
    # An address of all interfaces is none to connect to.
    host = LOOPBACKS.get(settings.serve_host, settings.serve_host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
