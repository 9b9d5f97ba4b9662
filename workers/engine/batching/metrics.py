"""Prometheus metrics of one engine process.

``prometheus_client.REGISTRY.register(engine.metrics)`` publishes it; the process itself opens the port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from prometheus_client.core import GaugeMetricFamily, Metric

from workers.engine.batching.loop import LoopState
from workers.engine.request_metrics import RequestMetrics


class EngineMetrics(RequestMetrics):
    """Counts finished requests, and reads the loop's state at each scrape.

    Args:
        read_state: returns the loop's current state.
        device: of the weights.
    """

    def __init__(self, read_state: Callable[[], LoopState], *, device: str) -> None:
        super().__init__()
        self._read_state = read_state
        self._device = device

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
        if self._device == "cuda":
            memory = GaugeMetricFamily("gistmill_gpu_memory_bytes", "GPU memory", labels=["kind"])
            free, total = torch.cuda.mem_get_info()
            memory.add_metric(["allocated"], torch.cuda.memory_allocated())
            memory.add_metric(["free"], free)
            memory.add_metric(["total"], total)
            yield memory
        yield from super().collect()
