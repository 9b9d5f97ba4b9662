"""Where the metrics of a worker are when another process has the usual port."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gistmill.cli.worker import _choose_metrics_port
from models.settings import read_settings


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_next_free_ports_are_taken_and_named(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    settings = read_settings().model_copy(update={"metrics_port": taken})
    settings.model_fields_set.discard("metrics_port")

    chosen = _choose_metrics_port(settings, processes=2).metrics_port

    assert chosen > taken
    assert capsys.readouterr().out == f"metrics are on port {chosen}: another process has {taken}\n"


def test_a_port_that_was_asked_for_is_kept(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert _choose_metrics_port(read_settings(metrics_port=taken), processes=1).metrics_port == taken
    assert capsys.readouterr().out == ""
