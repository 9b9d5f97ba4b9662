"""The forward pass of the loop's batch, and the choice of every request's next token."""

from __future__ import annotations

from typing import Any

import torch
from transformers.generation.continuous_batching.model_runner import ModelRunner

from workers.engine.request import Request
from workers.engine.sampling import choose_tokens


class SamplingRunner(ModelRunner):
    """Chooses each request's next token by that request's own parameters and seed.

    Args:
        processor: transformers' processor of the batch, whose own runner this one replaces.
        live: the requests by id.
    """

    def __init__(self, processor: Any, live: dict[str, Request]) -> None:
        super().__init__(
            logit_processor=processor.logit_processor,
            cb_config=processor.cb_config,
            cache=processor.cache,
            inputs_and_outputs=processor.inputs_and_outputs,
            do_sample=False,
            return_logprobs=False,
        )
        self._live = live

    def _sample(self, scores: torch.Tensor, output_ids: torch.Tensor) -> None:
        states = [item.state for item in self.inputs_and_outputs.requests_in_batch if item.has_new_token]
        rows = []
        for state in states:
            request = self._live[state.request_id]
            rows.append((request.params, request.generator, state.initial_tokens + state.generated_tokens))
        if rows:
            tokens = choose_tokens(scores[0, : len(rows)], rows)
            output_ids[0, : len(rows)].copy_(tokens)
