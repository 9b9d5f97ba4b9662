"""Prometheus metrics of an engine whose requests run on servers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric

from workers.engine.remote.balancer import Balancer
from workers.engine.request_metrics import RequestMetrics


class RemoteMetrics(RequestMetrics):
    """Counts finished requests, and reads how many run at each scrape.

    Args:
        balancer: the servers.
    """

    def __init__(self, balancer: Balancer) -> None:
        super().__init__()
        self._balancer = balancer

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics for a scrape."""
        yield GaugeMetricFamily("gistmill_requests_running", "Requests on the engine's servers", self._balancer.running)
        yield from super().collect()
