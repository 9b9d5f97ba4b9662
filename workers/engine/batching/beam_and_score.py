"""Beam search and scoring: single calls beside the batching loop, which supports neither, on the same weights."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from workers.engine.batching.request import GenerationOutcome, Request
from workers.engine.errors import RequestFailedError
from workers.generation import FinishReason

# Continuations scored in one forward pass; bounds the logits, a megabyte per token with Gemma's vocabulary.
SCORE_BATCH = 8
# Seconds between two checks whether a request that waits for the lock is cancelled or past its deadline.
POLL_SECONDS = 0.05


class SequentialGenerator:
    """Runs single calls beside the loop, one at a time.

    Args:
        network: the loaded weights, before a loop changes their attention.
        threads: compute threads on a CPU.
    """

    def __init__(self, network: Any, *, threads: int) -> None:
        self._network = share_weights(network)
        self._threads = threads
        self._lock = threading.Lock()

    def generate(self, request: Request) -> GenerationOutcome:
        """Generate with transformers' ``generate``, which supports beam search.

        Raises:
            RequestFailedError: it failed, for example out of memory.
        """
        reason = self._acquire_lock(request)
        if reason is not None:
            request.finish([], reason)
            return request.future.result()
        try:
            return self._search(request)
        except (RuntimeError, MemoryError) as error:
            raise RequestFailedError(f"the request failed: {error}; try fewer beams") from error
        finally:
            self._lock.release()

    def _acquire_lock(self, request: Request) -> FinishReason | None:
        """Acquire the lock, or return the reason if the request must end first."""
        while (reason := request.find_overdue_reason()) is None:
            if self._lock.acquire(timeout=POLL_SECONDS):
                return None
        return reason

    def _search(self, request: Request) -> GenerationOutcome:
        params, is_overdue = request.params, OverdueCriteria(request)
        sampling = (
            {"temperature": params.temperature, "top_k": params.top_k, "top_p": params.top_p}
            if params.do_sample
            else {}
        )
        settings = GenerationConfig(
            do_sample=params.do_sample,
            num_beams=params.num_beams,
            max_new_tokens=params.max_new_tokens,
            repetition_penalty=params.repetition_penalty,
            eos_token_id=sorted(request.eos_ids) or None,
            pad_token_id=0,
            suppress_tokens=self._network.generation_config.suppress_tokens,
            **sampling,
        )
        ids = self._to_tensor(request.prompt_ids)
        with use_threads(self._threads), torch.inference_mode(), torch.random.fork_rng():
            # transformers draws from the global generator, which only the holder of the lock uses.
            torch.manual_seed(request.generator.initial_seed())
            output = self._network.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList([is_overdue]),
            )
        request.finish(output[0, ids.shape[1] :].tolist(), is_overdue.reason)
        return request.future.result()

    def score(self, prompt_ids: Sequence[int], continuations: Sequence[Sequence[int]]) -> list[float]:
        """Return the summed log-probability of each continuation's tokens after the prompt."""
        scores: list[float] = []
        with self._lock, use_threads(self._threads), torch.inference_mode():
            if len(prompt_ids) > 1:
                prefix = self._network(input_ids=self._to_tensor(prompt_ids[:-1]), use_cache=True, logits_to_keep=1)
            for start in range(0, len(continuations), SCORE_BATCH):
                group = continuations[start : start + SCORE_BATCH]
                cache = copy.deepcopy(prefix.past_key_values) if len(prompt_ids) > 1 else None
                scores += self._score_group(prompt_ids[-1], group, cache)
        return scores

    def _score_group(self, last_id: int, group: Sequence[Sequence[int]], cache: Any) -> list[float]:
        longest = max(map(len, group))
        targets = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in group])
        targets = targets.to(self._network.device)  # (group, longest), padded on the right
        inputs = torch.cat([torch.full_like(targets[:, :1], last_id), targets[:, :-1]], dim=1)
        if cache is not None:
            cache.batch_repeat_interleave(len(group))
        logits = self._network(input_ids=inputs, past_key_values=cache).logits.float()
        chosen = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(dim=-1)
        return [float(row[: len(ids)].sum()) for row, ids in zip(chosen, group, strict=True)]

    def _to_tensor(self, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor([list(ids)], device=self._network.device)


def share_weights(network: Any) -> Any:
    """Return a copy of a network that shares its weights but not its config.

    The loop of transformers sets the attention in the config at its start and the masking in each forward pass, which
    would change other calls of the network.
    """
    shared = [*network.parameters(), *network.buffers(), *filter(is_shareable, network.modules())]
    return copy.deepcopy(network, {id(part): part for part in shared})


def is_shareable(module: nn.Module) -> bool:
    """Return whether a module is a leaf without a config, such as a linear layer in any memory layout."""
    return not hasattr(module, "config") and next(module.children(), None) is None


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Set torch's thread count within a block, and restore it: new threads start with the last count set."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class OverdueCriteria(StoppingCriteria):
    """Stops a generation that is cancelled or past its deadline."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.reason: FinishReason | None = None

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_options: Any) -> torch.Tensor:
        """Return one flag per sequence (sequences,), all equal."""
        self.reason = self._request.find_overdue_reason()
        return torch.full((input_ids.shape[0],), self.reason is not None, device=input_ids.device)
