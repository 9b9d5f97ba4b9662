from __future__ import annotations

from kombu import Connection
from kombu.transport import redis

from models.publisher import BROKER_OPTIONS
from tests.conftest import Cluster
from workers.broker.compat_kombu import Transport


def test_a_worker_asks_for_messages_with_kombus_own_command_whatever_its_queues_are(cluster: Cluster) -> None:
    sent: list[bytes] = []
    with Connection(cluster.broker_url, transport=Transport, transport_options=BROKER_OPTIONS) as connection:
        channel = connection.channel()
        channel.client.connection = channel.client.connection_pool.get_connection()
        channel.client.connection.send_packed_command = lambda command, **_: sent.append(b"".join(command))
        for queue in ("map.default", "reduce.default"):
            channel.basic_consume(queue, True, lambda _: None, queue)
            for start in (type(channel), type(channel), redis.Channel):
                start._brpop_start(channel)
    assert len(set(sent[:3])) == len(set(sent[3:])) == 1
    assert sent[0] != sent[3]
