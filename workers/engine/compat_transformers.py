"""Undocumented names of transformers, in one place, to check against each new version.

Continuous batching is public as a whole (``init_continuous_batching``), not in its parts, and the loop needs the parts:
sampling parameters of each request, speculative tokens, and a cache on a CPU. Modules of the engine use the names below
through this module alone; private hooks become public methods of ``HookedManager`` and ``HookedRunner``.

transformers.generation.continuous_batching.continuous_api
    ContinuousBatchingManager._create_batch_processor  builds cache, scheduler and buffers, here with another runner
    PagedAttentionCache  the class that it builds, here another one
    ContinuousBatchingManager._generation_loop_body  one step of the loop, around which requests end and begin
    ContinuousBatchingManager._handle_critical_error  a dead loop, which ends the process
    ContinuousBatchingManager._run_generation_loop  the thread's target, so that the thread has a name
    ContinuousBatchingManager._generation_thread  the thread that stop() joins
    ContinuousBatchingManager.background_thread_status  whether the loop has ended
    ContinuousBatchingManager.batch_processor  the parts of the loop
    ContinuousBatchingManager.output_router  delivers results; replaced to resolve futures
    ContinuousBatchingManager.switch_to_cb_friendly_attn  would replace ragged attention
    BackgroundThreadStatus.can_accept_new_requests  None while the loop runs
    BackgroundThreadStatus.clear  before the thread starts
    ContinuousBatchProcessor.cache  its used part is a metric
    ContinuousBatchProcessor.cb_config  passed to the new runner
    ContinuousBatchProcessor.inputs_and_outputs  passed to the new runner
    ContinuousBatchProcessor.logit_processor  passed to the new runner
    ContinuousBatchProcessor.max_batch_tokens  halved when memory runs out
    ContinuousBatchProcessor.model_runner  replaced
    ContinuousBatchProcessor.scheduler  holds the requests of the batch
    OutputRouter.deliver  a result or the tokens so far
    OutputRouter.deliver_batch  results of one forward pass
    OutputRouter.fail_and_deliver  ends one request with an error
transformers.generation.continuous_batching.model_runner
    ModelRunner.compute_batch  one forward pass, extended by the positions of speculative tokens
    ModelRunner._forward_process_and_sample  replaced where the head is screened
    ModelRunner._sample  replaced by sampling parameters of each request
transformers.generation.continuous_batching.scheduler
    Scheduler.active_requests  requests in the batch, by id
    Scheduler.waiting_requests  requests not yet in it, by id
    Scheduler.max_requests_per_batch  halved when memory runs out
    Scheduler.add_waiting_request  puts a request back
    Scheduler.finish_request  ends one at its stop string
    Scheduler.set_request_cancellation  ends one at its deadline
transformers.generation.continuous_batching.requests
    RequestState._status  set without the bookkeeping of the public property, for a request that is put back
    RequestState.create_equivalent_initial_request  the request as it came
    RequestState.generated_tokens  grows by accepted tokens
    RequestState.initial_tokens  the prompt
    RequestState.max_new_tokens  bounds the speculative tokens
    RequestState.position_offset  set back by rejected tokens
    RequestState.status  whether the request decodes
    RequestState.to_generation_output  tokens of a request that ends early
    RequestState.tokens_to_process  the last token and the speculative ones
    RequestStatus.DECODING  its prompt is in the cache
    RequestStatus.FINISHED  it has left the batch
    FutureRequestState.has_new_token  whether the forward pass gives the request a token
    FutureRequestState.query_length  its tokens in the forward pass
    FutureRequestState.state  the request
transformers.generation.continuous_batching.input_outputs
    ContinuousBatchingIOs.compute_stream  of the forward pass, here of the whole step
    ContinuousBatchingIOs.num_request_in_batch  a metric
    ContinuousBatchingIOs.output_ids  moved to the host
    ContinuousBatchingIOs.requests_in_batch  requests of the forward pass, in its order
transformers.generation.continuous_batching.cache
    PagedAttentionCache._infer_read_cache_limit  computed again for longer windows
    PagedAttentionCache.cache_allocators  their windows are made longer
    PagedAttentionCache.compute_free_capacity  a metric
    PagedAttentionCache.layer_to_allocator  where a layer's keys and values are
    PagedAttentionCache.read_cache_limit  see _infer_read_cache_limit
    PagedAttentionCache.extend_read_and_write_indices  replaced: rows are computed on the device
    PagedAttentionCache.__init__  replaced where layers differ, by what sets the same attributes
    PagedAttentionMemoryHandler  the largest cache that fits, and the check that one does
    ATTN_TYPE_TO_ALLOCATOR  classes of the allocators, by kind of layers
transformers.generation.continuous_batching.cache_allocators
    CachePool  the free sectors of a cache
    SlidingAttentionCacheAllocator._kv_token_views  a layer's keys and values, one row for each token
    SlidingAttentionCacheAllocator.index  tells the kinds of layers apart
    SlidingAttentionCacheAllocator.block_physical_stride  rows from one page to the next
    SlidingAttentionCacheAllocator.block_table  pages of each request
    SlidingAttentionCacheAllocator.tokens_per_page  tokens of one
    SlidingAttentionCacheAllocator.write_trash_index  a row that is never read
    SlidingAttentionCacheAllocator.sliding_window  longer by the speculative tokens
transformers.modeling_utils
    logger  reports tensors without a place in the network
transformers.core_model_loading
    revert_weight_conversion  undoes the renamings of a load, which fails for some; a network has them as an attribute
transformers.configuration_utils
    PreTrainedConfig._attn_implementation  name of the network's attention
transformers.integrations.sdpa_attention
    sdpa_attention_forward  attention outside the loop
transformers.masking_utils
    sdpa_mask  its mask
transformers.models.gemma3.modeling_gemma3
    Gemma3DecoderLayer  replaced on a CPU
    Gemma3RMSNorm  replaced on a CPU
transformers.integrations.gguf
    convert_gguf_tokenizer  the vocabulary of the packaged weights as a tokenizer
    get_gguf_tokenizer  the vocabulary as the GGUF file holds it
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers.generation.continuous_batching import continuous_api
from transformers.generation.continuous_batching.cache import (
    ATTN_TYPE_TO_ALLOCATOR,
    PagedAttentionCache,
    PagedAttentionMemoryHandler,
)
from transformers.generation.continuous_batching.cache_allocators import CachePool, SlidingAttentionCacheAllocator
from transformers.generation.continuous_batching.continuous_api import ContinuousBatchingManager, OutputRouter
from transformers.generation.continuous_batching.model_runner import ModelRunner
from transformers.generation.continuous_batching.requests import RequestStatus
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.gemma3.modeling_gemma3 import Gemma3DecoderLayer, Gemma3RMSNorm

__all__ = [
    "ALLOCATORS",
    "CachePool",
    "Gemma3DecoderLayer",
    "Gemma3RMSNorm",
    "HookedManager",
    "HookedRunner",
    "OutputRouter",
    "PagedAttentionCache",
    "PagedAttentionMemoryHandler",
    "RequestStatus",
    "forget_renamings",
    "get_attention",
    "get_page_layout",
    "get_pages",
    "get_token_views",
    "hide_load_report",
    "install_cache_class",
    "mark_finished",
    "read_gguf_tokenizer",
    "sdpa_attention_forward",
    "sdpa_mask",
    "widen_windows",
]

# Classes of the allocators, by kind of layers.
ALLOCATORS: dict[str, Any] = ATTN_TYPE_TO_ALLOCATOR


class HookedManager(ContinuousBatchingManager):
    """Manager of transformers with its private hooks as methods that a subclass may override."""

    def start(self) -> None:
        """Start the background thread, as a daemon with a name."""
        self.background_thread_status.clear()
        self._generation_thread = threading.Thread(
            target=self._run_generation_loop, name="generation-loop", daemon=True
        )
        self._generation_thread.start()

    def has_ended(self) -> bool:
        """Return whether the loop no longer accepts requests."""
        return self.background_thread_status.can_accept_new_requests() is not None

    def build_processor(self) -> Any:
        """Return cache, scheduler and buffers of a new loop."""
        processor = super()._create_batch_processor()
        # On the host, since the runner has waited for the tokens when it stores them there.
        processor.inputs_and_outputs.output_ids = processor.inputs_and_outputs.output_ids.cpu()
        return processor

    def run_step(self, processor: Any, bootstrapping: bool) -> bool:
        """Run one step of the loop; False ends it."""
        stream = processor.inputs_and_outputs.compute_stream
        # All of it on one stream: an upload that the host does not wait for is then done before the forward pass.
        with nullcontext() if stream is None else torch.cuda.stream(stream):
            return super()._generation_loop_body(processor, bootstrapping)

    def handle_fatal_error(self, error: Exception, processor: Any) -> None:
        """Fail all requests after an error that ends the loop."""
        super()._handle_critical_error(error, processor)

    def _create_batch_processor(self) -> Any:
        return self.build_processor()

    def _generation_loop_body(self, batch_processor: Any, bootstrapping: bool) -> bool:
        return self.run_step(batch_processor, bootstrapping)

    def _handle_critical_error(self, error: Exception, batch_processor: Any) -> None:
        self.handle_fatal_error(error, batch_processor)


class HookedRunner(ModelRunner):
    """Model runner of transformers with its private hooks as methods that a subclass may override.

    Args:
        processor: the loop's processor, whose own runner this one replaces.
    """

    def __init__(self, processor: Any) -> None:
        super().__init__(
            logit_processor=processor.logit_processor,
            cb_config=processor.cb_config,
            cache=processor.cache,
            inputs_and_outputs=processor.inputs_and_outputs,
            do_sample=False,
            return_logprobs=False,
        )

    def run_forward(self, model: Any, batch_data: dict[str, Any], *tensors: torch.Tensor) -> None:
        """Run the forward pass and sample from its logits; the last tensor takes the new tokens."""
        super()._forward_process_and_sample(model, batch_data, *tensors)

    def sample(self, scores: torch.Tensor, output_ids: torch.Tensor) -> None:
        """Sample from scores (1, tokens, vocabulary) into the new tokens (1, requests)."""
        super()._sample(scores, output_ids)

    def _forward_process_and_sample(self, model: Any, batch_data: dict[str, Any], *tensors: torch.Tensor) -> None:
        self.run_forward(model, batch_data, *tensors)

    def _sample(self, scores: torch.Tensor, output_ids: torch.Tensor) -> None:
        self.sample(scores, output_ids)


def forget_renamings(network: Any, patterns: Iterable[str]) -> None:
    """Let a network be saved under its own names, though it was loaded from others.

    Args:
        network: a network that was loaded with a ``key_mapping``.
        patterns: the mapping's keys.
    """
    renamed = set(patterns)
    conversions = getattr(network, "_weight_conversions", None) or []
    network._weight_conversions = [part for part in conversions if renamed.isdisjoint(part.source_patterns)]


def get_attention(config: Any) -> str:
    """Return the name of the attention that a network with this config runs."""
    return str(config._attn_implementation)


def get_page_layout(allocator: Any) -> tuple[int, int, int | None, int]:
    """Return the values of a ``PageLayout``."""
    ring = allocator.sliding_window if isinstance(allocator, SlidingAttentionCacheAllocator) else None
    return allocator.tokens_per_page, allocator.block_physical_stride, ring, allocator.write_trash_index


def get_pages(allocator: Any, request_id: str) -> list[int]:
    """Return the numbers of the pages of a request, in the order of its tokens."""
    pages: list[int] = allocator.block_table[request_id]
    return pages


def get_token_views(allocator: Any, layer: int) -> Any:
    """Return a layer's cached keys and values, each (rows, key heads, head size)."""
    return allocator._kv_token_views[layer]


@contextmanager
def hide_load_report() -> Iterator[None]:
    """Leave out of the log which tensors a load does not use; the caller checks what a network lacks."""

    def is_other(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def install_cache_class(cache_class: type[PagedAttentionCache]) -> None:
    """Let every manager build its cache of this class."""
    vars(continuous_api)["PagedAttentionCache"] = cache_class


def mark_finished(state: Any) -> None:
    """Mark a request as finished without ending its output."""
    state._status = RequestStatus.FINISHED


def widen_windows(cache: Any, tokens: int) -> None:
    """Widen the cache of sliding-window layers by some tokens."""
    for allocator in cache.cache_allocators.values():
        if isinstance(allocator, SlidingAttentionCacheAllocator):
            allocator.sliding_window += tokens
    cache.read_cache_limit = cache._infer_read_cache_limit()


def read_gguf_tokenizer(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return the tokenizer of a GGUF file, and its special tokens and settings."""
    # Imported here: only a conversion needs the reader of GGUF files.
    from transformers.integrations.gguf import convert_gguf_tokenizer, get_gguf_tokenizer

    architecture, vocabulary, options = get_gguf_tokenizer(str(path))
    tokenizer, _ = convert_gguf_tokenizer(architecture, vocabulary)
    return tokenizer, options
