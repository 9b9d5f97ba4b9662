"""Delivery of the loop's outputs to the threads that wait for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.engine.batching.request import Request
from workers.engine.compat_transformers import OutputRouter
from workers.engine.errors import EngineStoppedError, RequestFailedError


class RequestRouter(OutputRouter):
    """Resolves the futures of the requests that the loop has finished."""

    def __init__(self, live: dict[str, Request], *, has_ended: Callable[[], bool]) -> None:
        super().__init__()
        self._live = live
        self._loop_has_ended = has_ended

    def deliver(self, output: Any) -> None:
        """Resolve one request, or call its ``on_tokens`` with the tokens so far."""
        if not output.is_finished():
            request = self._live.get(output.request_id)
            if request is not None and request.on_tokens is not None:
                request.on_tokens(output.generated_tokens)
            return
        request = self._live.pop(output.request_id, None)
        if request is None:
            return
        if output.error is None:
            request.finish(output.generated_tokens)
        elif self._loop_has_ended():
            request.future.set_exception(EngineStoppedError(f"the generation loop has ended: {output.error}"))
        else:
            request.future.set_exception(RequestFailedError(f"the request failed: {output.error}"))

    def deliver_batch(self, outputs: list[Any]) -> None:
        """Resolve several requests."""
        for output in outputs:
            self.deliver(output)
