"""The forward pass of the loop's batch, and the choice of every request's next tokens."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from workers.engine.batching.request import Request
from workers.engine.batching.sampling import Sampler, sample_tokens
from workers.engine.compat_transformers import HookedRunner
from workers.engine.cpu.screened_head import ScreenedHead


class SamplingRunner(HookedRunner):
    """Chooses each request's next tokens by that request's own parameters and seed.

    Args:
        processor: transformers' processor of the batch, whose own runner this one replaces.
        live: the requests by id.
        is_fused: whether the network's last layer computes only the tokens that are kept.
    """

    def __init__(self, processor: Any, live: dict[str, Request], *, is_fused: bool) -> None:
        super().__init__(processor)
        self._live = live
        self._is_fused = is_fused

    def compute_batch(self, model: Any, batch_data: dict[str, Any]) -> None:
        """Run the pass; logits are computed where a token is chosen: after the last token, and after every guess."""
        batch = self.inputs_and_outputs.requests_in_batch
        ends = accumulate(item.query_length for item in batch)
        places = [
            place
            for item, end in zip(batch, ends, strict=True)
            if item.has_new_token
            for place in range(end - 1 - len(self._live[item.state.request_id].draft), end)
        ]
        # A pass of prompts that are not read to their end needs no logits, but a head cannot do without a row.
        batch_data["logits_indices"] = torch.tensor(places or [0], device=batch_data["input_ids"].device)
        # Filled by the first layer that attends (see attention_plan).
        batch_data["plans"] = {}
        super().compute_batch(model, batch_data)

    def run_forward(self, model: Any, batch_data: dict[str, Any], *tensors: torch.Tensor) -> None:
        """Run the forward pass and sample; of a screened head only the scores that may be chosen are exact."""
        head = model.get_output_embeddings()
        if not isinstance(head, ScreenedHead):
            super().run_forward(model, batch_data, *tensors)
            return
        *_, output_ids = tensors
        hidden = self._compute_kept(model.base_model, batch_data.pop("logits_to_keep"), batch_data)
        samplers = self._list_samplers()
        if samplers:
            wanted = [sampler.wanted for sampler in samplers for _ in range(sampler.rows)]
            ends = accumulate(sampler.rows for sampler in samplers)
            lowered = [
                (slice(end - sampler.rows, end), outputs)
                for sampler, end in zip(samplers, ends, strict=True)
                if (outputs := sampler.lowered)
            ]
            self._choose(head.screen(hidden, wanted, lowered), samplers, output_ids)

    def _compute_kept(self, body: Any, kept: torch.Tensor, batch_data: dict[str, Any]) -> torch.Tensor:
        """Return what reaches the head (kept tokens, size); no token is chosen after the others."""
        if self._is_fused:
            return body(kept=kept, **batch_data).last_hidden_state[0]
        return body(**batch_data).last_hidden_state[0, kept]

    def sample(self, scores: torch.Tensor, output_ids: torch.Tensor) -> None:
        """Sample the new tokens of each request by its own parameters."""
        samplers = self._list_samplers()
        if samplers:
            self._choose(scores[0], samplers, output_ids)

    def _list_samplers(self) -> list[Sampler]:
        """Return how the next tokens are chosen of every request that gets one in this pass."""
        return [
            Sampler(
                request.params,
                request.generator,
                seen=state.initial_tokens + state.generated_tokens,
                draft=request.draft,
                ends=request.eos_ids,
            )
            for request, state in self._list_decoding()
        ]

    def _list_decoding(self) -> list[tuple[Request, Any]]:
        states = [item.state for item in self.inputs_and_outputs.requests_in_batch if item.has_new_token]
        return [(self._live[state.request_id], state) for state in states]

    def _choose(self, scores: torch.Tensor, samplers: list[Sampler], output_ids: torch.Tensor) -> None:
        chosen = sample_tokens(scores, samplers)
        for (request, state), tokens in zip(self._list_decoding(), chosen, strict=True):
            request.learn(tokens)
            # The pass counts one new token; the guesses that hold came before it, and the others were never there.
            state.generated_tokens.extend(tokens[:-1])
            state.position_offset -= len(request.draft) + 1 - len(tokens)
        output_ids[0, : len(chosen)].copy_(torch.tensor([tokens[-1] for tokens in chosen]))
