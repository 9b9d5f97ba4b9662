"""Redis transport for workers: fewer commands per message, and tolerant of malformed messages on a queue.

Messages are not acknowledged: Redis deletes a message when it delivers it, which saves half of its commands. A step
whose message is lost with its worker is reclaimed and published again.

This module has all undocumented names of kombu; check a new version against this table:

kombu.transport
    TRANSPORT_ALIASES  transport by URL scheme, for which there is no setting
kombu.transport.redis
    Channel._brpop_read  reads the reply of BRPOP
    Channel._brpop_start  sends BRPOP
    Channel._brpop_sent_at  time of the last BRPOP, for the timeout of a dead connection
    Channel._create_client  creates a client
    Channel._in_poll  connection that waits for the reply
    Channel._q_for_pri  key of a queue's list at a priority
    Channel._queue_cycle  order of the queues
    Channel.active_queues  consumed queues
    Channel.brpop_timeout  seconds that a BRPOP waits
    Channel.conn_or_acquire  yields the client of a command
    Channel.global_keyprefix  setting; a channel with a prefix keeps kombu's own commands
    Channel.pool  connection pool, replaced after a reconnection
    Channel.priority_steps  priorities of a queue
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis

log = structlog.get_logger()


class Channel(redis.Channel):
    """Channel that drops malformed messages and reuses one client for all its commands."""

    _kept: Any = None
    _asking: tuple[tuple[str, ...], list[bytes]] = ((), [])

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Yield the shared client; kombu would create one per command, which costs more than the command."""
        if client is None and (self._kept is None or self._kept.connection_pool is not self.pool):
            self._kept = self._create_client()
        yield client or self._kept

    def basic_consume(self, queue: str, no_ack: bool, *arguments: Any, **options: Any) -> Any:
        """Consume without acknowledgement, and so without kombu's list of unacknowledged messages."""
        return super().basic_consume(queue, True, *arguments, **options)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Do nothing: messages are not acknowledged."""

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Send BRPOP as a cached command; packing its three dozen keys takes as long as reading its reply."""
        if timeout is not None or self.global_keyprefix:
            super()._brpop_start(timeout)
            return
        queues = tuple(self._queue_cycle.consume(len(self.active_queues)))
        if not queues:
            return
        self._in_poll = connection = self.client.connection
        self._brpop_sent_at = time.monotonic()
        if queues != self._asking[0]:
            lists = [self._q_for_pri(queue, level) for level in self.priority_steps for queue in queues]
            command = connection.pack_command("BRPOP", *lists, self.brpop_timeout)
            self._asking = queues, command
        connection.send_packed_command(self._asking[1])

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, KeyError) as error:
            # The message is already off the queue; a step behind it will be reclaimed and published again.
            log.warning("malformed_message_dropped", error=str(error))
            return True


class Transport(redis.Transport):
    """Redis transport with this channel."""

    Channel = Channel


def use_transport() -> None:
    """Register this transport for every Redis address of this process, in kombu's only registry for it."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
