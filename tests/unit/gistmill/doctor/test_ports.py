"""Tests of the examination of the HTTP server's port."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gistmill.doctor.diagnosis import Condition
from gistmill.doctor.ports import examine_http_port
from gistmill.http.documentation import tell_health
from models.settings import Settings


class HealthHandler(BaseHTTPRequestHandler):
    """Answers each request with the server's health."""

    health: dict[str, str]

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.health).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A server whose answer a test sets."""
    with HTTPServer(("127.0.0.1", 0), HealthHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("health", "condition", "words"),
    [
        (tell_health(), Condition.OK, "`gistmill serve` answers at http://127.0.0.1:"),
        ({"status": "ok"}, Condition.NOTE, "cannot be had (Address already in use) for `gistmill serve`"),
    ],
)
def test_a_port_that_is_taken_is_noted_unless_by_our_server(
    server: HTTPServer, health: dict[str, str], condition: Condition, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HealthHandler, "health", health, raising=False)

    [found] = examine_http_port(Settings(serve_port=server.server_port))

    assert (found.condition, words in found.words) == (condition, True)


def test_a_free_port_is_told_and_any_port_is_not() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    [found] = examine_http_port(Settings(serve_port=port))

    assert (found.condition, "is free" in found.words) == (Condition.OK, True)
    assert list(examine_http_port(Settings(serve_port=0))) == []


def test_an_address_that_is_none_of_this_machine_is_noted() -> None:
    [found] = examine_http_port(Settings(serve_host="nowhere.invalid"))

    assert (found.condition, "GISTMILL_SERVE_HOST" in str(found.advice)) == (Condition.NOTE, True)
