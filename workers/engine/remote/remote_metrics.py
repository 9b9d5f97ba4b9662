"""Prometheus metrics of an engine whose requests run on servers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric

from workers.engine.remote.delivery import Delivery
from workers.engine.request_metrics import RequestMetrics


class RemoteMetrics(RequestMetrics):
    """Counts finished requests, and reads how many run at each scrape; the servers have metrics of their own.

    Args:
        delivery: of the requests.
    """

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self._delivery = delivery

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics for a scrape."""
        running, delivered = self._delivery.running, self._delivery.delivered
        yield GaugeMetricFamily("gistmill_requests_waiting", "Requests on no server", max(delivered - running, 0))
        yield GaugeMetricFamily("gistmill_requests_running", "Requests on the engine's servers", running)
        yield GaugeMetricFamily(
            "gistmill_loop_age_seconds", "Age of the last answer of a server", self._delivery.seconds_since_answer()
        )
        yield from super().collect()
