"""What the processes of a cluster hold, read again and again while they work."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psutil
import redis

from tests.bench.queue_cluster import Cluster

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'gistmill %@bench%'"
DATABASE_BYTES = "SELECT pg_database_size(current_database())"
MB = 1e6
# Readings that grow with the work, because every step is kept.
GROWING = frozenset({"database, MB"})


class MemoryReader:
    """Reads the memory, files, threads and connections of a cluster and its workers.

    Args:
        cluster: with its two servers.
        workers: process id of each worker by its name.
    """

    def __init__(self, cluster: Cluster, workers: Mapping[str, int]) -> None:
        self._cluster = cluster
        self._workers = {name: psutil.Process(pid) for name, pid in workers.items()}
        self._postgres, self._valkey = map(psutil.Process, cluster.servers)
        self._broker = redis.Redis.from_url(cluster.broker_url)

    def check_workers(self) -> None:
        """Exit if a worker has ended: its successor would begin with little memory again."""
        for name, process in self._workers.items():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                raise SystemExit(f"{name} (process {process.pid}) has ended during the soak")

    def read(self) -> dict[str, float]:
        """Return all readings by name."""
        readings: dict[str, float] = {}
        for name, process in self._workers.items():
            with process.oneshot():
                readings[f"{name}, resident MB"] = process.memory_info().rss / MB
                readings[f"{name}, open files"] = process.num_fds()
                readings[f"{name}, threads"] = process.num_threads()
        readings["Postgres connections of the workers"] = self._cluster.read_number(CONNECTIONS)
        readings["broker clients"] = float(self._broker.info("clients")["connected_clients"])
        readings["Postgres, resident MB"] = read_family(self._postgres) / MB
        readings["broker keys"] = float(self._broker.dbsize())
        readings["Valkey, resident MB"] = self._valkey.memory_info().rss / MB
        readings["database, MB"] = self._cluster.read_number(DATABASE_BYTES) / MB
        return readings


def read_family(process: psutil.Process) -> float:
    """Return the bytes that a process and its children hold, with memory that they share counted once."""
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total
