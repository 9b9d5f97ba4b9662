"""Delivery of a request to a server that may be busy, restart or die: repeated with backoff, or given up with a reason.

A request changes nothing on a server, so it may be sent again at any time.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import httpx
import structlog

from workers.engine.errors import RequestFailedError, ServerUnreachableError, UnsupportedRequestError
from workers.engine.remote.answers import ServedCompletion, read_completion, read_error
from workers.engine.remote.balancer import Balancer, EngineServer

log = structlog.get_logger()

# Statuses of a server, or of a proxy before it, that cannot take a request now.
BUSY = {429, 502, 503, 504}
# Statuses of a request that no repetition helps.
REFUSED = {400, 413, 422}
# Pause before the second try in seconds; it doubles with each, up to the maximum.
FIRST_PAUSE = 0.25
MAX_PAUSE = 10.0
# Seconds without an answer to any try after which the step is given back: other workers may reach a server.
OUTAGE_SECONDS = 60.0
# Answers that may be lost in a row, as when a server dies: the request itself may be the cause.
MAX_LOSSES = 3


class _NoAnswerError(Exception):
    """A server cannot be reached, or is too busy.

    Args:
        reason: in words.
        pause: seconds until the next try, if the server named them.
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class _LostAnswerError(Exception):
    """A server took a request and did not answer it whole."""


class Delivery:
    """Sends requests to the servers of a balancer.

    Args:
        client: HTTP client.
        balancer: chooses the server.
    """

    def __init__(self, client: httpx.AsyncClient, balancer: Balancer) -> None:
        self._client = client
        self._balancer = balancer
        # ``time.monotonic`` value of the last answer, or of the first request since the servers were idle.
        self.last_answer = time.monotonic()
        # Requests that are on a server or wait for the next try.
        self.delivered = 0

    @property
    def running(self) -> int:
        """Requests on a server."""
        return self._balancer.running

    def seconds_since_answer(self) -> float:
        """Return the seconds since a server's last answer while requests run, health checks included; 0 when idle."""
        return time.monotonic() - self.last_answer if self.running else 0.0

    async def complete(self, path: str, body: dict[str, Any]) -> ServedCompletion:
        """Return the completion of a request.

        Raises:
            UnsupportedRequestError: the server refuses the request.
            RequestFailedError: the server failed with it several times.
            ServerUnreachableError: no server has answered for a while.
        """
        self.delivered += 1
        try:
            return await self._try_until_answered(path, body)
        finally:
            self.delivered -= 1

    async def _try_until_answered(self, path: str, body: dict[str, Any]) -> ServedCompletion:
        started, losses, tries = time.monotonic(), 0, 0
        while True:
            server = self._balancer.choose()
            await asyncio.sleep(server.find_rest())
            try:
                return await self._send(server, path, body)
            except _LostAnswerError as error:
                losses, reason, pause = losses + 1, str(error), None
                # What follows is the time that this server takes to come back.
                started = time.monotonic()
                if losses >= MAX_LOSSES:
                    raise RequestFailedError(
                        f"{server.host} failed {losses} times with this request: {error}"
                    ) from error
            except _NoAnswerError as error:
                reason, pause = str(error), error.pause
                if time.monotonic() - started > OUTAGE_SECONDS:
                    raise ServerUnreachableError(
                        f"no server of the engine answers ({reason}); look at the log of {server.host}"
                    ) from error
            pause = choose_pause(tries) if pause is None else pause
            log.debug("engine_request_repeated", server=server.host, reason=reason, seconds=round(pause, 2))
            server.rest(pause)
            tries += 1

    async def _send(self, server: EngineServer, path: str, body: dict[str, Any]) -> ServedCompletion:
        if not self._balancer.running:
            self.last_answer = time.monotonic()
        with server.track():
            reply = await self._post(server, path, body)
            self.last_answer = time.monotonic()
        check_status(reply)
        try:
            answer = read_completion(reply.content)
        except RequestFailedError as error:
            raise _LostAnswerError(str(error)) from error
        if answer.choice.finish_reason not in ("stop", "length"):
            raise _LostAnswerError(f"its generation was ended as {answer.choice.finish_reason!r}")
        return answer

    async def _post(self, server: EngineServer, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            return await self._client.post(server.url + path, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NoAnswerError(f"{server.host} cannot be reached: {error}") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _LostAnswerError(f"the connection ended before the answer did ({error!r})") from error


def check_status(reply: httpx.Response) -> None:
    """Raise what a status other than 200 means."""
    status = reply.status_code
    if status == httpx.codes.OK:
        return
    message = f"status {status}: {read_error(reply.content)}"
    if status in BUSY:
        raise _NoAnswerError(message, read_pause(reply.headers.get("Retry-After")))
    if status in REFUSED:
        raise UnsupportedRequestError(f"the engine's server refuses this request with {message}")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _LostAnswerError(message)
    raise RequestFailedError(f"the engine's server answered with {message}")


def choose_pause(tries: int) -> float:
    """Return the pause after so many tries before the last one, spread so that many requests do not return at once."""
    return min(FIRST_PAUSE * 2.0 ** min(tries, 10), MAX_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def read_pause(header: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header, bounded; None without one, or with a date."""
    return min(float(header), MAX_PAUSE) if header and header.isdecimal() else None
