"""HTTP connections to the engine's servers: one event loop in a thread, for all task threads of the process.

A blocked read cannot be interrupted, an awaited one can: a cancelled request closes its connection, by which the server
notices that nobody waits and frees its place in the batch.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx

from workers.engine.errors import EngineStoppedError, UnsupportedSettingError
from workers.generation import FinishReason

T = TypeVar("T")

# Seconds between two checks whether a waiting request is cancelled or past its deadline.
POLL_SECONDS = 0.1
CONNECT_SECONDS = 5
# Below the 5 s after which uvicorn, which vLLM runs on, closes an idle connection: a request must not meet that moment.
IDLE_SECONDS = 2
# A generation may take minutes without a byte, so nothing but the kernel's probes shows that a host has vanished:
# the first after 20 s, four more every 5 s.
KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
]


class ServerConnection:
    """Event loop in a thread, with one HTTP client.

    Args:
        key: sent as a bearer token; None for none.
        ca: file with the certificates that are trusted for https; None for those of the system.

    Raises:
        UnsupportedSettingError: the file has no certificates.
    """

    def __init__(self, *, key: str | None = None, ca: Path | None = None) -> None:
        self.client = httpx.AsyncClient(
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            transport=httpx.AsyncHTTPTransport(
                verify=_trust(ca),
                # The slots of the process bound the requests.
                limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
                socket_options=KEEPALIVE,
            ),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-connection", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; raise as it does.

        Raises:
            EngineStoppedError: the connection is closed.
        """
        return cast("T", self.run_until(work))  # without a deadline nothing ends it early

    def run_until(
        self,
        work: Coroutine[Any, Any, T],
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> T | FinishReason:
        """Run a coroutine to its end, or return the reason why it was ended before.

        Args:
            work: the coroutine.
            deadline: ``time.monotonic`` value at which it is ended.
            cancelled: ends it when set.

        Raises:
            EngineStoppedError: the connection is closed.
        """
        if not self._thread.is_alive() or self._loop.is_closed():
            work.close()
            raise EngineStoppedError("the connection to the engine's server is closed; restart this worker")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            reason = find_overdue_reason(deadline, cancelled)
            if reason is not None:
                future.cancel()
                return reason
            rest = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(deadline - time.monotonic(), 0))
            try:
                return future.result(timeout=rest)
            except TimeoutError:
                if future.done():
                    raise
            except CancelledError as error:
                raise EngineStoppedError("the connection to the engine's server was closed") from error

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the requests, until the connection is closed."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End all requests and the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end_requests(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end_requests(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.client.aclose()


def find_overdue_reason(deadline: float | None, cancelled: threading.Event | None) -> FinishReason | None:
    """Return why a request must end now; None if it may continue."""
    if cancelled is not None and cancelled.is_set():
        return FinishReason.CANCELLED
    if deadline is not None and time.monotonic() >= deadline:
        return FinishReason.DEADLINE
    return None


def _trust(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:  # SSLError is one
        raise UnsupportedSettingError(
            f"GISTMILL_ENGINE_CA={ca} holds no certificates that can be read ({error}); name a file in PEM format"
        ) from error
