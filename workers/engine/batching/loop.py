"""The generation loop: transformers' continuous batching, extended to serve many threads for days.

A background thread runs one forward pass after the other over the live requests. Added to the manager of transformers:
each request has its own sampling parameters, seed, stop strings, deadline and cancellation, checked between two steps;
running out of memory shrinks the batch and retries once; a fatal error fails all pending requests and is reported to
the process; and a heartbeat shows that the loop is alive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig

from workers.engine.batching.layer_cache import LayerCache
from workers.engine.batching.model_runner import SamplingRunner
from workers.engine.batching.request import Request
from workers.engine.batching.routing import RequestRouter
from workers.engine.batching.speculation import propose_tokens, widen_for_speculation
from workers.engine.compat_transformers import HookedManager, get_attention, install_cache_class, mark_finished
from workers.engine.cpu.fused_gemma3 import has_fused_layers
from workers.engine.cpu.memory import LazyZeros
from workers.engine.errors import EngineStoppedError
from workers.engine.quantization import uses_onednn
from workers.engine.ragged_attention import RAGGED
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import FinishReason

# Halving stops here, so that an engine that ran out of memory still makes progress.
MIN_BATCH_TOKENS = 64


@dataclass(frozen=True, slots=True)
class LoopState:
    """State of a loop.

    Args:
        waiting: requests not yet in the batch.
        running: requests in the batch.
        batch_size: requests in the last forward pass.
        cache_used: used part of the KV cache, from 0 to 1.
        age: seconds since the last heartbeat.
    """

    waiting: int
    running: int
    batch_size: int
    cache_used: float
    age: float


class GenerationLoop(HookedManager):
    """Runs requests in one shared batch; ``submit`` may be called from any thread.

    Args:
        network: the loaded weights.
        tokenizer: decodes the ends of generations to find stop strings.
        batching: sizes of batch and cache.
        share_threads: returns the thread count of the next forward pass on a CPU.
        is_speculative: whether speculative tokens are proposed on a CPU.
        on_fatal: called in the loop's thread after a fatal error.

    Raises:
        MemoryError: the cache does not fit the device.
    """

    def __init__(
        self,
        network: Any,
        *,
        tokenizer: PromptTokenizer,
        batching: ContinuousBatchingConfig,
        share_threads: Callable[[], int],
        is_speculative: bool = True,
        on_fatal: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            model=network,
            # The runner samples; no processor of transformers may change the logits.
            generation_config=GenerationConfig(do_sample=False, eos_token_id=-1),
            continuous_batching_config=batching,
        )
        self.live: dict[str, Request] = {}
        self.output_router = RequestRouter(self.live, has_ended=self.has_ended)
        self._tokenizer = tokenizer
        self._on_fatal = on_fatal
        self._share_threads = share_threads
        # A GPU has many requests in a batch, and computes each token with hardly less time than it loads the weights.
        self._can_speculate = is_speculative and network.device.type == "cpu"
        self._submit_lock = threading.Lock()
        self._last_step = time.monotonic()
        # Built here and not in the loop's thread, so that a cache that does not fit fails the load.
        self.batch_processor = self.build_processor()

    def switch_to_cb_friendly_attn(self, model: Any, auto_switch_to_flash: bool = True) -> None:
        """Keep ragged attention, with which the network is loaded."""

    def submit(self, request: Request) -> None:
        """Queue a request; its future gets the outcome.

        Raises:
            EngineStoppedError: the loop has ended.
        """
        self.check_running()
        with self._submit_lock:
            self.live[request.id] = request
            self.add_request(
                request.prompt_ids,
                request_id=request.id,
                max_new_tokens=request.params.max_new_tokens,
                eos_token_id=sorted(request.eos_ids) or -1,
                streaming=request.on_tokens is not None,
            )
        # Checked after queueing: a loop that ends from here on fails the request itself.
        self.check_running(request)

    def check_running(self, request: Request | None = None) -> None:
        """Refuse new requests, or one that was queued and not yet failed by the loop.

        Raises:
            EngineStoppedError: the loop has ended.
        """
        if self.has_ended() and (request is None or self.live.pop(request.id, None) is not None):
            raise EngineStoppedError("the generation loop has ended; restart this worker")

    def close(self) -> None:
        """End the loop and fail all pending requests."""
        self.stop(block=True, hard_stop=True)
        self.destroy()

    def seconds_since_progress(self) -> float:
        """Return the seconds since the loop's last heartbeat; an idle loop has one every 0.1 s."""
        return time.monotonic() - self._last_step

    def read_state(self) -> LoopState:
        """Return the current state; callable from any thread, so the numbers may be of two different steps."""
        processor = self.batch_processor
        if processor is None:
            return LoopState(waiting=0, running=0, batch_size=0, cache_used=0.0, age=self.seconds_since_progress())
        running = len(processor.scheduler.active_requests)
        return LoopState(
            waiting=max(len(self.live) - running, 0),
            running=running,
            batch_size=processor.inputs_and_outputs.num_request_in_batch if running else 0,
            cache_used=1.0 - processor.cache.compute_free_capacity(),
            age=self.seconds_since_progress(),
        )

    def build_processor(self) -> Any:
        """Return cache, scheduler and buffers of a new loop, with a ``SamplingRunner``."""
        with LazyZeros():
            processor = super().build_processor()
        is_ragged = get_attention(self.model.config.get_text_config()) == RAGGED
        processor.model_runner = SamplingRunner(
            processor,
            self.live,
            is_fused=has_fused_layers(self.model),
            is_padded=is_ragged and uses_onednn(self.model.base_model),
            suppressed=self.model.generation_config.suppress_tokens or (),
        )
        widen_for_speculation(processor.cache)
        return processor

    def run_step(self, processor: Any, bootstrapping: bool) -> bool:
        """Run one forward pass; end overdue requests before it and stopped ones after it."""
        if self.live:
            # torch has one count per thread, MKL one for the process; setting both takes less than a microsecond.
            torch.set_num_threads(self._share_threads())
        self._end_overdue(processor.scheduler)
        if self._can_speculate:
            propose_tokens(list(self.live.values()), processor)
        try:
            continues = super().run_step(processor, bootstrapping)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._shrink_batch(processor, error)
            continues = True
        self._end_stopped(processor.scheduler)
        self._last_step = time.monotonic()
        return continues

    def _end_overdue(self, scheduler: Any) -> None:
        with self._submit_lock:
            overdue = [(request, request.find_overdue_reason()) for request in self.live.values()]
        for request, reason in overdue:
            if reason is not None:
                # Takes effect in this step, also for a request that is still in the input queue.
                scheduler.set_request_cancellation(request.id)
                self._finish(request, scheduler, reason)

    def _end_stopped(self, scheduler: Any) -> None:
        for request in list(self.live.values()):
            state = scheduler.active_requests.get(request.id)
            if state is None:
                continue
            if request.has_ended:
                self._finish(request, scheduler, None)
                scheduler.finish_request(request.id)
            elif request.stop and self._has_stop(request, state.generated_tokens):
                self._finish(request, scheduler, FinishReason.STOP)
                scheduler.finish_request(request.id)

    def _finish(self, request: Request, scheduler: Any, reason: FinishReason | None) -> None:
        state = scheduler.active_requests.get(request.id) or scheduler.waiting_requests.get(request.id)
        tokens = [] if state is None else state.to_generation_output().generated_tokens
        self.live.pop(request.id, None)
        request.finish(tokens, reason)

    def _has_stop(self, request: Request, tokens: list[int]) -> bool:
        # A token is at least one byte, so this tail contains any stop string that this step has completed.
        longest = max(len(stop.encode()) for stop in request.stop)
        tail = self._tokenizer.decode(tokens[-longest - 1 - len(request.proposed) :])
        return any(stop in tail for stop in request.stop)

    def _shrink_batch(self, processor: Any, error: Exception) -> None:
        processor.max_batch_tokens = max(processor.max_batch_tokens // 2, MIN_BATCH_TOKENS)
        scheduler = processor.scheduler
        scheduler.max_requests_per_batch = max(scheduler.max_requests_per_batch // 2, 1)
        for scheduled in processor.inputs_and_outputs.requests_in_batch:
            state, request = scheduled.state, self.live.get(scheduled.state.request_id)
            scheduler.finish_request(state.request_id)
            if request is None or request.has_run_out_of_memory:
                self.output_router.fail_and_deliver(state, error)
            else:
                request.has_run_out_of_memory = True
                mark_finished(state)
                scheduler.add_waiting_request(state.create_equivalent_initial_request())
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def handle_fatal_error(self, error: Exception, processor: Any) -> None:
        """Fail all requests and call ``on_fatal``."""
        super().handle_fatal_error(error, processor)
        if self._on_fatal is not None:
            self._on_fatal()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is one of exhausted memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "allocate memory" in str(error) or "not enough memory" in str(error)


install_cache_class(LayerCache)
