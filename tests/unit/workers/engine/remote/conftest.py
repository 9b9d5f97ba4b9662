"""Remote engines on a fake server over the tiny Gemma."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine_conformance import Reference
from tests.fake_openai_server import FakeServer
from workers.engine.engine import Engine
from workers.engine.remote.attach import RemoteConfig, attach_engine
from workers.engine.remote.remote_engine import RemoteEngine

Attach = Callable[..., RemoteEngine]


@pytest.fixture(scope="session")
def reference(tiny_weights: Path) -> Reference:
    """The network of the tiny Gemma."""
    return Reference.load(tiny_weights)


@pytest.fixture
def server(engine: Engine) -> Iterator[FakeServer]:
    """A server that a test may break."""
    with FakeServer(engine).run() as server:
        yield server


@pytest.fixture
def attach(tiny_weights: Path) -> Iterator[Attach]:
    """Attach engines to servers; they are closed at the end."""
    with ExitStack() as stack:

        def attach(*servers: FakeServer, folder: Path = tiny_weights, **settings: object) -> RemoteEngine:
            config = RemoteConfig(tuple(server.url for server in servers), **settings)  # type: ignore[arg-type]
            attached = attach_engine(config, folder, adapter=None, hashes={})
            stack.callback(attached.close)
            return attached

        yield attach


@pytest.fixture
def remote(server: FakeServer, attach: Attach) -> RemoteEngine:
    """An engine on that server, whose list of bodies is empty again."""
    attached = attach(server)
    server.bodies.clear()
    return attached
