"""Rows of the KV cache of the tokens of a forward pass.

The host knows the lengths of the requests and the pages of their cache, and uploads these alone. The device computes
every token's row from them: as lists on the host they take longer than a GPU takes for the forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from workers.engine.upload import upload


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Layout of the pages of one kind of layers in the rows of their cache.

    Args:
        tokens: of a page.
        stride: rows from the first of one page to the first of the next.
        ring: positions after which a layer with a window uses a row again; None for never.
        unused: row that is never read.
    """

    tokens: int
    stride: int
    ring: int | None
    unused: int


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """Tokens of one request in a forward pass.

    Args:
        id: of the request.
        past: number of its tokens in the cache.
        count: number of its tokens in the forward pass.
    """

    id: str
    past: int
    count: int

    def count_keys(self, window: int | None) -> int:
        """Return the number of keys that its tokens see together."""
        return self.count_past(window) + self.count

    def count_past(self, window: int | None) -> int:
        """Return the number of earlier keys that its tokens see."""
        return self.past if window is None else min(self.past, window - 1)


class BatchRows:
    """Rows of the cache where the tokens of a batch's requests are, computed on the device.

    Args:
        spans: of the requests.
        pages: numbers of the pages of each request.
        layout: of the pages.
        device: of the cache.
    """

    def __init__(
        self, spans: Sequence[RequestSpan], pages: Sequence[Sequence[int]], layout: PageLayout, device: torch.device
    ) -> None:
        self.spans, self._layout, self.device = spans, layout, device
        width = max(map(len, pages))
        starts = accumulate((span.count for span in spans), initial=0)
        # One upload: what the device computes with afterwards never returns to the host.
        table = upload(
            [
                [span.past, span.count, start, *numbers, *[0] * (width - len(numbers))]
                for span, start, numbers in zip(spans, starts, pages, strict=False)
            ],
            device,
        )
        # Each (requests,): tokens before the forward pass, tokens in it, and the place of the first of these.
        self.past, self.count, self.start = table[:, 0], table[:, 1], table[:, 2]
        # First row of each page (requests, pages).
        self._firsts = table[:, 3:] * layout.stride

    def find_rows(self, requests: torch.Tensor | int, positions: torch.Tensor) -> torch.Tensor:
        """Return the rows of tokens at positions of requests, in the shape of both together."""
        if self._layout.ring is not None:
            positions = positions % self._layout.ring
        page = torch.div(positions, self._layout.tokens, rounding_mode="floor")
        return self._firsts[requests, page] + positions % self._layout.tokens

    def find_new_rows(self) -> torch.Tensor:
        """Return the rows (query tokens,) that the tokens of the forward pass are stored in."""
        tokens = sum(span.count for span in self.spans)
        owner = torch.arange(len(self.spans), device=self.device).repeat_interleave(self.count, output_size=tokens)
        positions = torch.arange(tokens, device=self.device) - self.start[owner] + self.past[owner]
        rows, ring = self.find_rows(owner, positions), self._layout.ring
        if ring is not None and max(span.count for span in self.spans) > ring:
            # Of tokens that share a row only the last one is kept.
            rows = rows.where(positions >= (self.past + self.count)[owner] - ring, self._layout.unused)
        return rows
