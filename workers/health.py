"""Worker status over HTTP: ``/metrics`` for Prometheus, ``/health`` for probes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app

from workers.errors import ServerStartError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class StatusServer:
    """HTTP server in a daemon thread for metrics and health probes."""

    def __init__(self, host: str, port: int, is_healthy: Callable[[], bool]) -> None:
        """Bind the port without serving yet.

        Args:
            host: address to listen on.
            port: TCP port.
            is_healthy: called by every probe; False answers 503.

        Raises:
            ServerStartError: the port is taken.
        """
        self._is_healthy = is_healthy
        self._metrics = make_wsgi_app()
        try:
            self._server = make_server(host, port, self._answer, handler_class=_QuietHandler)
        except OSError as error:
            raise ServerStartError(
                f"metrics cannot be served on {host}:{port} ({error.strerror}); set GISTMILL_METRICS_PORT, 0 for none"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/health":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        is_healthy = self._is_healthy()
        start_response("200 OK" if is_healthy else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if is_healthy else b"draining or hung\n"]


def is_free(host: str, port: int) -> bool:
    """Return whether a TCP port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class _QuietHandler(WSGIRequestHandler):
    """Request handler without an access log: probes every few seconds would fill it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Drop the message."""
