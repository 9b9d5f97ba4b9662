"""Handing out a generation's text piece by piece while it grows."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from workers.engine.batching.request import Request
from workers.engine.tokenizer import PromptTokenizer


class TextStream:
    """Collects the tokens of one request and yields its text; the loop's thread never waits for the reader.

    Args:
        request: the request, not yet submitted.
        tokenizer: decodes its tokens.
    """

    def __init__(self, request: Request, tokenizer: PromptTokenizer) -> None:
        self._arrivals: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        self._tokenizer = tokenizer
        # Text that could be the beginning of a stop string is held back.
        self._held_back = max((len(stop) for stop in request.stop), default=1) - 1
        self._request = request
        request.on_tokens = self._arrivals.put
        request.future.add_done_callback(lambda _future: self._arrivals.put(None))

    def read_growth(self) -> Iterator[str]:
        """Yield what is sure of the text, longer each time, until the request has ended."""
        while (tokens := self._arrivals.get()) is not None:
            text, has_stop = self._request.cut_text(self._tokenizer.decode_settled(tokens))
            yield text if has_stop else text[: max(len(text) - self._held_back, 0)]
