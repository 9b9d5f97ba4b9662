"""The metrics of workers where another program has the usual port."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from models.settings import read_settings
from workers.local.ports import choose_metrics_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_next_free_ports_are_taken_and_named(taken: int) -> None:
    reports: list[str] = []
    settings = read_settings().model_copy(update={"metrics_port": taken})
    settings.model_fields_set.discard("metrics_port")

    chosen = choose_metrics_port(settings, processes=2, report=reports.append).metrics_port

    assert chosen > taken
    assert reports == [f"another program listens on port {taken}, so the metrics of workers take {chosen}"]


def test_a_port_that_was_asked_for_is_kept(taken: int) -> None:
    reports: list[str] = []
    settings = read_settings(metrics_port=taken)

    assert choose_metrics_port(settings, processes=1, report=reports.append).metrics_port == taken
    assert reports == []
