"""The process of ``gistmill serve``: where it listens, and what it demands for that."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

import uvicorn

from gistmill.http.app import make_app
from gistmill.http.guard import check_address
from models.errors import SettingsError
from models.settings import Settings

# Seconds that open requests, such as those that follow a batch, have to end when the server stops.
SHUTDOWN_SECONDS = 5
# Seconds that an idle connection is kept; with few, a client reuses one in the moment that the server closes it.
KEEP_ALIVE_SECONDS = 75
# Connections that wait to be taken.
BACKLOG = 2048


def run_server(settings: Settings, *, report: Callable[[str], None]) -> None:
    """Serve until a signal ends the process.

    Args:
        settings: settings of this process.
        report: called with the address when connections are taken.

    Raises:
        SettingsError: the address needs a token or cannot be listened on, or no cluster is known.
    """
    check_address(settings)
    app = make_app(settings)
    with closing(bind(settings.serve_host, settings.serve_port)) as listener:
        report(describe_address(listener))
        config = uvicorn.Config(
            app,
            log_level="warning",
            # The address of a request may hold a batch's name.
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        SettingsError: the address is not of this machine, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{host}, port {port} cannot be listened on ({error.strerror}); choose others with --host and --port"
        ) from None


def describe_address(listener: socket.socket) -> str:
    """Return the address of a listening socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
