"""Streaming of a generation's text while it grows."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from workers.engine.batching.request import Request
from workers.engine.tokenizer import PromptTokenizer


class TextStream:
    """Queues the tokens of one request and yields its text; the loop's thread never waits for the consumer.

    Args:
        request: the request, not yet submitted.
        tokenizer: decodes its tokens.
    """

    def __init__(self, request: Request, tokenizer: PromptTokenizer) -> None:
        self._arrivals: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        self._tokenizer = tokenizer
        # Characters at the end that may begin a stop string.
        self._uncertain = max((len(stop) for stop in request.stop), default=1) - 1
        self._request = request
        request.on_tokens = self._arrivals.put
        request.future.add_done_callback(lambda _future: self._arrivals.put(None))

    def iterate_texts(self) -> Iterator[str]:
        """Yield the final part of the text so far, after each step until the request has ended."""
        while (tokens := self._arrivals.get()) is not None:
            settled = self._tokenizer.decode_answer(tokens, prompt_ids=self._request.prompt_ids, is_settled=False)
            text, has_stop = self._request.cut_text(settled)
            yield text if has_stop else text[: max(len(text) - self._uncertain, 0)]
