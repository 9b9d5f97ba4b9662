"""Which requests of the loop check guesses in the next pass, and how many (see ``prompt_lookup``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workers.engine.attention_plan import MAX_DECODE_QUERIES
from workers.engine.batching.request import Request
from workers.engine.compat_transformers import RequestStatus, widen_windows

# Tokens of a pass up to which guesses are checked: a CPU reads its weights about as long as it computes with that many.
SPECULATION_TOKENS = 32


def propose_tokens(requests: Iterable[Request], processor: Any) -> None:
    """Let every request that writes guess what it says next, those whose guesses hold first.

    Args:
        requests: all that are live.
        processor: of the loop's batch, between two passes.
    """
    writing = []
    for request in requests:
        request.draft = []
        state = processor.scheduler.active_requests.get(request.id)
        if state is not None and state.status is RequestStatus.DECODING and state.generated_tokens:
            writing.append((request, state))
    room = min(SPECULATION_TOKENS, processor.max_batch_tokens) - len(writing)
    for request, state in sorted(writing, key=lambda pair: -pair[0].wanted_draft):
        # The pass itself adds one token to the guesses that hold.
        left = state.max_new_tokens - len(state.generated_tokens) - 1
        request.guess(state.initial_tokens, state.generated_tokens, most=max(min(room, left), 0))
        state.tokens_to_process = [state.generated_tokens[-1], *request.draft]
        room -= len(request.draft)


def keep_behind_window(cache: Any) -> None:
    """Let a cache keep more than a window: a pass writes a request's few new tokens before it reads the old ones."""
    widen_windows(cache, MAX_DECODE_QUERIES - 1)
