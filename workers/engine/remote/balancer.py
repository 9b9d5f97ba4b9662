"""Balancing of requests over servers of the same weights: the next one goes where the fewest run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(eq=False, slots=True)
class EngineServer:
    """Server of the engine; only the thread of the event loop changes it.

    Args:
        url: base of its paths, such as ``http://gpu1:8000/v1``.
    """

    url: str
    running: int = field(default=0, init=False)
    # ``time.monotonic`` value until which it gets no request if another server may.
    resting_until: float = field(default=0.0, init=False)

    @property
    def root(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """Host and port, without a name or password in the address."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def find_rest(self) -> float:
        """Return the seconds that it still rests."""
        return max(self.resting_until - time.monotonic(), 0.0)

    def rest(self, seconds: float) -> None:
        """Give it no request for so long if another server may get it."""
        self.resting_until = time.monotonic() + seconds

    @contextmanager
    def track(self) -> Iterator[None]:
        """Count a request that runs on it."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


class Balancer:
    """Chooses a server for each request.

    Args:
        servers: of equal weights, at least one.
    """

    def __init__(self, servers: Sequence[EngineServer]) -> None:
        self.servers = list(servers)
        # Of equally busy servers, the first after the last one chosen.
        self._turn = 0

    def add(self, server: EngineServer) -> None:
        """Send requests to a further server of the same weights."""
        self.servers.append(server)

    def choose(self) -> EngineServer:
        """Return the server with the fewest requests among those that do not rest, or the one that rests least long."""
        count = len(self.servers)
        order = [self.servers[(self._turn + place) % count] for place in range(count)]
        chosen = min(order, key=lambda server: (server.find_rest(), server.running))
        self._turn = (self.servers.index(chosen) + 1) % count
        return chosen

    @property
    def running(self) -> int:
        """Number of requests that run on all servers."""
        return sum(server.running for server in self.servers)
