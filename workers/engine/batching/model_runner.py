"""The forward pass of the loop's batch, and the sampling of each request's next tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch.nn.functional import pad

from workers.engine.attention_plan import PassPlans
from workers.engine.batching.request import Request
from workers.engine.batching.sampling import Sampler, forbid_tokens, sample_tokens
from workers.engine.cache_rows import RequestSpan
from workers.engine.compat_transformers import HookedRunner
from workers.engine.cpu.onednn import round_up_rows
from workers.engine.cpu.screened_head import ScreenedHead
from workers.engine.upload import upload


class SamplingRunner(HookedRunner):
    """Samples each request's next tokens by its own parameters and seed.

    Args:
        processor: transformers' processor of the batch, whose own runner this one replaces.
        live: the requests by id.
        is_fused: whether the network's last layer computes only the tokens of which logits are needed.
        is_padded: whether the batch is padded to one of few numbers of tokens.
        suppressed: ids that the weights never sample.
    """

    def __init__(
        self,
        processor: Any,
        live: dict[str, Request],
        *,
        is_fused: bool,
        is_padded: bool,
        suppressed: Sequence[int] = (),
    ) -> None:
        super().__init__(processor)
        self._live = live
        self._is_fused = is_fused
        self._is_padded = is_padded
        self._suppressed = suppressed

    def compute_batch(self, model: Any, batch_data: dict[str, Any]) -> None:
        """Run the forward pass, with logits only after each request's last token and its speculative tokens."""
        batch = self.inputs_and_outputs.requests_in_batch
        ends = accumulate(item.query_length for item in batch)
        positions = [
            position
            for item, end in zip(batch, ends, strict=True)
            if item.has_new_token
            for position in range(end - 1 - len(self._live[item.state.request_id].proposed), end)
        ]
        # Prompts that are not yet fully prefilled need no logits, but the head requires at least one row.
        device = batch_data["input_ids"].device
        batch_data["logits_indices"] = upload(positions or [0], device)
        spans = [
            RequestSpan(item.state.request_id, item.state.position_offset - item.query_length, item.query_length)
            for item in batch
        ]
        batch_data["plans"] = PassPlans(spans, device)
        if self._is_padded:
            for name in ("input_ids", "position_ids"):
                batch_data[name] = pad_tokens(batch_data[name])
        # Taken for a finished mask by its four dimensions: else every forward pass would build one of all tokens.
        batch_data["attention_mask"] = batch_data["input_ids"].new_zeros(1, 1, 1, 1)
        super().compute_batch(model, batch_data)

    def run_forward(self, model: Any, batch_data: dict[str, Any], *tensors: torch.Tensor) -> None:
        """Run the forward pass and sample; a screened head computes exact logits only of the candidates."""
        head = model.get_output_embeddings()
        if not isinstance(head, ScreenedHead):
            super().run_forward(model, batch_data, *tensors)
            return
        *_, output_ids = tensors
        hidden = self._compute_kept(model.base_model, batch_data.pop("logits_to_keep"), batch_data)
        samplers = self._list_samplers()
        if samplers:
            top_counts = [sampler.top_count for sampler in samplers for _ in range(sampler.rows)]
            ends = accumulate(sampler.rows for sampler in samplers)
            penalized = [
                (slice(end - sampler.rows, end), ids)
                for sampler, end in zip(samplers, ends, strict=True)
                if (ids := sampler.penalized)
            ]
            logits = head.screen(hidden, top_counts, penalized, forbid=partial(forbid_tokens, samplers=samplers))
            self._sample_rows(logits, samplers, output_ids)

    def _compute_kept(self, body: Any, kept: torch.Tensor, batch_data: dict[str, Any]) -> torch.Tensor:
        """Return the hidden states (kept tokens, hidden size) of which logits are needed."""
        if self._is_fused:
            padded = pad_tokens(kept) if self._is_padded else kept
            return body(kept=padded, **batch_data).last_hidden_state[0, : len(kept)]
        return body(**batch_data).last_hidden_state[0, kept]

    def sample(self, scores: torch.Tensor, output_ids: torch.Tensor) -> None:
        """Sample the new tokens of each request by its own parameters."""
        samplers = self._list_samplers()
        if samplers:
            forbid_tokens(scores[0], samplers)
            self._sample_rows(scores[0], samplers, output_ids)

    def _list_samplers(self) -> list[Sampler]:
        """Return a sampler for each request that gets tokens in this step."""
        return [
            Sampler(
                request.params,
                request.draws,
                seen=[] if request.params.repetition_penalty == 1.0 else state.initial_tokens + state.generated_tokens,
                proposed=request.proposed,
                eos_ids=request.eos_ids,
                suppressed=self._suppressed,
                forbidden=None if request.constraint is None else request.constraint.compute_masks(request.proposed),
            )
            for request, state in self._list_decoding()
        ]

    def _list_decoding(self) -> list[tuple[Request, Any]]:
        states = [item.state for item in self.inputs_and_outputs.requests_in_batch if item.has_new_token]
        return [(self._live[state.request_id], state) for state in states]

    def _sample_rows(self, scores: torch.Tensor, samplers: list[Sampler], output_ids: torch.Tensor) -> None:
        sampled = sample_tokens(scores, samplers)
        for (request, state), tokens in zip(self._list_decoding(), sampled, strict=True):
            request.record_tokens(tokens)
            # transformers adds the last token; the accepted ones come before it, and the rejected ones are taken back.
            state.generated_tokens.extend(tokens[:-1])
            state.position_offset -= len(request.proposed) + 1 - len(tokens)
        output_ids[0, : len(sampled)].copy_(torch.tensor([tokens[-1] for tokens in sampled]))


def pad_tokens(numbers: torch.Tensor) -> torch.Tensor:
    """Return numbers of tokens (..., tokens) with zeros behind them up to one of few numbers of tokens."""
    tokens = numbers.shape[-1]
    return pad(numbers, (0, round_up_rows(tokens) - tokens))
