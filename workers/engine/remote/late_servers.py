"""Servers that did not answer when the worker started: each joins when it answers, if it is like the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from workers.engine.errors import ServerUnreachableError, UnsupportedSettingError
from workers.engine.remote.balancer import Balancer, EngineServer
from workers.engine.remote.server_facts import ServerFacts

log = structlog.get_logger()

# Seconds between two tries to identify the servers that are missing.
JOIN_SECONDS = 10.0
Identify = Callable[[EngineServer], Awaitable[ServerFacts]]


class LateServers:
    """Watches for missing servers, and adds them to a balancer.

    Args:
        missing: servers to watch for.
        balancer: of the servers that answer.
        check: raises UnsupportedSettingError if a server must not be mixed with those.
        identify: returns the facts of a server; raises as ``ServerProbe.identify`` does.
    """

    def __init__(
        self,
        missing: Sequence[EngineServer],
        balancer: Balancer,
        *,
        check: Callable[[EngineServer, ServerFacts], None],
        identify: Identify,
    ) -> None:
        self._missing = list(missing)
        self._balancer = balancer
        self._check = check
        self._identify = identify
        # Reason for which each was refused last, so that it is logged once.
        self._refusals: dict[EngineServer, str] = {}

    async def watch(self) -> None:
        """Try to identify the missing servers until none is left."""
        while self._missing:
            await asyncio.sleep(JOIN_SECONDS)
            for server in tuple(self._missing):
                await self._try_to_add(server)

    async def _try_to_add(self, server: EngineServer) -> None:
        try:
            self._check(server, await self._identify(server))
        except ServerUnreachableError:
            return
        except UnsupportedSettingError as error:
            if self._refusals.get(server) != str(error):
                self._refusals[server] = str(error)
                log.warning("engine_server_refused", server=server.host, reason=str(error))
            return
        self._missing.remove(server)
        self._balancer.add(server)
        log.info("engine_server_joined", server=server.host)
