"""Distribution of speculative tokens over the requests of the next step (see ``prompt_lookup``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workers.engine.attention_plan import MAX_DECODE_QUERIES
from workers.engine.batching.request import Request
from workers.engine.compat_transformers import RequestStatus, widen_windows

# Tokens of a forward pass with speculative ones: up to here loading the weights takes a CPU as long as computing.
SPECULATION_TOKENS = 32


def propose_tokens(requests: Iterable[Request], processor: Any) -> None:
    """Propose speculative tokens for every request that decodes, those with the largest proposals first.

    Args:
        requests: all live requests.
        processor: of the loop's batch, between two steps.
    """
    decoding = []
    for request in requests:
        request.proposed = []
        state = processor.scheduler.active_requests.get(request.id)
        if state is not None and state.status is RequestStatus.DECODING and state.generated_tokens:
            decoding.append((request, state))
    room = min(SPECULATION_TOKENS, processor.max_batch_tokens) - len(decoding)
    for request, state in sorted(decoding, key=lambda pair: -pair[0].proposal_size):
        # The step adds one token to the accepted ones.
        left = state.max_new_tokens - len(state.generated_tokens) - 1
        request.propose_tokens(state.initial_tokens, state.generated_tokens, limit=max(min(room, left), 0))
        state.tokens_to_process = [state.generated_tokens[-1], *request.proposed]
        room -= len(request.proposed)


def widen_for_speculation(cache: Any) -> None:
    """Widen the cache of sliding windows: a forward pass writes a request's new keys before it reads the old ones."""
    widen_windows(cache, MAX_DECODE_QUERIES - 1)
