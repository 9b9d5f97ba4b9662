"""Prometheus metrics of one engine process.

``prometheus_client.REGISTRY.register(engine.metrics)`` publishes it; the process itself opens the port.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.engine.batching.loop import LoopState
from workers.generation import Generation

# Upper bounds in seconds: from one short answer on a GPU to a long summary on a slow CPU.
SECONDS_BUCKETS = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640)


class EngineMetrics(Collector):
    """Counts finished requests, and reads the loop's state at each scrape.

    Args:
        read_state: returns the loop's current state.
        device: of the weights.
    """

    def __init__(self, read_state: Callable[[], LoopState], *, device: str) -> None:
        self._read_state = read_state
        self._device = device
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
        state = self._read_state()
        yield GaugeMetricFamily("gistmill_requests_waiting", "Requests not yet in the batch", state.waiting)
        yield GaugeMetricFamily("gistmill_requests_running", "Requests in the batch", state.running)
        yield GaugeMetricFamily(
            "gistmill_batch_size", "Requests in the last forward pass of each lane", state.batch_size
        )
        yield GaugeMetricFamily("gistmill_kv_cache_used_ratio", "Used part of the KV cache", state.cache_used)
        yield GaugeMetricFamily("gistmill_loop_age_seconds", "Age of the loop's last sign of life", state.age)
        yield GaugeMetricFamily(
            "gistmill_tokens_per_second", "Tokens of requests finished since the last reading", self._measure_speed()
        )
        if self._device == "cuda":
            memory = GaugeMetricFamily("gistmill_gpu_memory_bytes", "GPU memory", labels=["kind"])
            free, total = torch.cuda.mem_get_info()
            memory.add_metric(["allocated"], torch.cuda.memory_allocated())
            memory.add_metric(["free"], free)
            memory.add_metric(["total"], total)
            yield memory
        for metric in (self._tokens_in, self._tokens_out, self._seconds, self._failures):
            yield from metric.collect()

    def _measure_speed(self) -> float:
        start, before = self._last_scrape
        self._last_scrape = (time.monotonic(), self._generated)
        return (self._last_scrape[1] - before) / max(self._last_scrape[0] - start, 1e-3)
