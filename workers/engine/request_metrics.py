"""Prometheus metrics of an engine's requests, whatever computes them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.generation import Generation

# Upper bounds in seconds: from one short answer on a GPU to a long summary on a slow CPU.
SECONDS_BUCKETS = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640)


class RequestMetrics(Collector):
    """Counts finished requests."""

    def __init__(self) -> None:
        self._tokens_in = Counter("gistmill_tokens_in", "Prompt tokens of finished requests", registry=None)
        self._tokens_out = Counter("gistmill_tokens_out", "Generated tokens", registry=None)
        self._seconds = Histogram(
            "gistmill_request_seconds",
            "Seconds from submission to the last token",
            ["finish_reason"],
            buckets=SECONDS_BUCKETS,
            registry=None,
        )
        self._failures = Counter("gistmill_request_failures", "Requests that ended with an error", registry=None)
        self._generated = 0
        self._last_scrape = (time.monotonic(), 0)

    def count_generation(self, generation: Generation) -> None:
        """Count one finished request."""
        self._tokens_in.inc(generation.prompt_tokens)
        self._tokens_out.inc(generation.completion_tokens)
        self._generated += generation.completion_tokens
        self._seconds.labels(generation.finish_reason.value).observe(generation.seconds)

    def count_failure(self) -> None:
        """Count one request that ended with an error."""
        self._failures.inc()

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics for a scrape."""
        yield GaugeMetricFamily(
            "gistmill_tokens_per_second", "Tokens of requests finished since the last reading", self._measure_speed()
        )
        for metric in (self._tokens_in, self._tokens_out, self._seconds, self._failures):
            yield from metric.collect()

    def _measure_speed(self) -> float:
        start, before = self._last_scrape
        self._last_scrape = (time.monotonic(), self._generated)
        return (self._last_scrape[1] - before) / max(self._last_scrape[0] - start, 1e-3)
