"""The broker's connection as a worker needs it: what is no message is dropped, where kombu would end the process."""

from __future__ import annotations

from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis

log = structlog.get_logger()


class Channel(redis.Channel):
    """Survives anything that somebody pushed on a queue."""

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
