"""The broker's connection as a worker needs it: cheap, and not to be ended by what somebody pushed on a queue.

Messages are not acknowledged. Redis forgets one when it hands it over, which saves half of the commands of a message;
if it is lost together with the worker, the rescue sends it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis

log = structlog.get_logger()


class Channel(redis.Channel):
    """Survives anything that somebody pushed on a queue, and keeps one client for all its commands."""

    _kept: Any = None

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Yield a client; kombu makes a new one for every command, which costs more than the command."""
        if client is None and (self._kept is None or self._kept.connection_pool is not self.pool):
            self._kept = self._create_client()
        yield client or self._kept

    def basic_consume(self, queue: str, no_ack: bool, *arguments: Any, **options: Any) -> Any:
        """Consume without the list of messages that are not acknowledged yet."""
        return super().basic_consume(queue, True, *arguments, **options)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Do nothing: there is no such list."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, KeyError) as error:
            # It is off the queue already; a step that it may have meant is sent again by the rescue.
            log.warning("malformed_message_dropped", error=str(error))
            return True


class Transport(redis.Transport):
    """Redis with that channel."""

    Channel = Channel


def use_transport() -> None:
    """Let every broker address of this process mean this transport; kombu offers no other place to say so."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
