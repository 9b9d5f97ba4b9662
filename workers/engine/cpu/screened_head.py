"""Screening of a network's head on a CPU: int8 logits of all tokens, then exact logits of the top candidates.

Gemma's head has 262,144 outputs, more weights than all layers of the smallest Gemma 3, and a decode step needs only the
largest logits. In int8 a quarter of the bytes is loaded. The difference at the candidates estimates the error of a
row: if its last candidate is too close to its last wanted logit, the whole row is computed exactly. So the sampler
chooses the same tokens as from exact logits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from workers.engine.block_topk import block_topk
from workers.engine.cpu.chunked_linear import CHUNK_OUTPUTS, build_linear
from workers.engine.cpu.half import has_fbgemm
from workers.engine.cpu.int8 import SAFE_WEIGHT, Int8Linear, measure_max
from workers.engine.cpu.memory import release_pages

# Candidates per wanted logit, and their bounds per row. With twenty wanted, the last of 120 candidates is at least 11
# RMS errors below the last wanted logit (minimum over 200 rows of real text).
CANDIDATES_PER_LOGIT, MIN_CANDIDATES, MAX_CANDIDATES = 6, 64, 512
# Minimum distance from the last wanted logit down to the last candidate, in RMS errors of the row: none of 50 million
# int8 logits of real text had a larger error.
SAFE_ERRORS = 8.0
# A head with fewer outputs is computed faster than it is screened.
SCREENED_OUTPUTS = 32_768
# Tokens of the sample, and the difference in parts of the largest logit, by which the network's logits and those of the
# head alone are compared: both come from the same layers and the same rows.
COMPARED_TOKENS, EQUAL_LOGITS = 4, 1e-4
# Maximum rows for which ``weight @ rows.T`` is faster than ``rows @ weight.T``: three times with three rows.
FEW_ROWS = 8


class ScreenedHead(nn.Module):
    """Linear head that computes all logits exactly, or only the largest.

    Args:
        head: the head; its weights may be those of the embedding.
        hidden: hidden states (tokens, inputs) of typical text, which calibrate the int8 weights.
        softcap: bound that the network lets its logits approach; None for no cap. It changes no order.
    """

    def __init__(self, head: nn.Linear, hidden: torch.Tensor, softcap: float | None = None) -> None:
        super().__init__()
        self.weight = head.weight
        self._softcap = softcap
        maxima = measure_max(hidden, dim=0).squeeze(0)
        self._screen = build_linear(head, lambda weight, _: Int8Linear(weight, None, maxima, max_weight=SAFE_WEIGHT))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return exact logits (..., outputs) of hidden states (..., inputs), before any cap."""
        rows, shape = rows.flatten(0, -2), rows.shape[:-1]
        logits = rows.new_empty(len(rows), len(self.weight))
        chunks = (torch.split(tensor, CHUNK_OUTPUTS, dim=dim) for tensor, dim in ((self.weight, 0), (logits, -1)))
        for weight, target in zip(*chunks, strict=True):
            target.copy_((weight @ rows.T).T if len(rows) <= FEW_ROWS else rows @ weight.T)
            release_pages(weight)
        return logits.view(*shape, -1)

    def screen(
        self,
        rows: torch.Tensor,
        top_counts: Sequence[int],
        penalized: Iterable[tuple[slice, Sequence[int]]] = (),
        *,
        forbid: Callable[[torch.Tensor], None] = lambda _: None,
    ) -> torch.Tensor:
        """Return capped logits (rows, outputs) of hidden states (rows, inputs), exact at least where they are largest.

        Args:
            rows: hidden states of the last layer.
            top_counts: for each row, the number of largest logits that must be exact and in order; 0 for all.
            penalized: slices of rows with equal ``top_counts``, each with the ids of tokens whose logits the sampler
                lowers before it ranks them.
            forbid: sets the logits of forbidden tokens to minus infinity, in place, so that they are no candidates.
        """
        logits = self._screen(rows)
        forbid(logits)
        requested = torch.tensor(top_counts)
        counts = requested.clamp(max=MAX_CANDIDATES // CANDIDATES_PER_LOGIT)
        can_screen = (counts == requested) & (counts > 0)
        penalized = [(span, tokens) for span, tokens in penalized if can_screen[span.start]]
        candidates = max(int(counts.max()) * CANDIDATES_PER_LOGIT, MIN_CANDIDATES)
        approximate, best = block_topk(logits, MAX_CANDIDATES if penalized else candidates)
        exact = torch.bmm(self.weight[best], rows.unsqueeze(-1)).squeeze(-1)
        # Only a row with fewer allowed tokens than candidates has forbidden ones among them.
        is_forbidden = approximate == -torch.inf
        exact.masked_fill_(is_forbidden, -torch.inf)
        logits.scatter_(-1, best, exact)
        error = (exact - approximate).masked_fill_(is_forbidden, 0.0).square().mean(dim=-1).sqrt()
        # Logits that will be lowered are no candidates: the others must suffice.
        for span, tokens in penalized:
            exact[span].masked_fill_(torch.isin(best[span], torch.tensor(tokens)), -torch.inf)
        last = exact.sort(descending=True).values.gather(-1, (counts - 1).clamp_(min=0).unsqueeze(-1)).squeeze(-1)
        is_safe = can_screen & ((last - approximate[:, -1] > SAFE_ERRORS * error) | is_forbidden[:, -1])
        if not is_safe.all():
            logits[~is_safe] = self(rows[~is_safe])
            forbid(logits)
        return self.cap(logits)

    def cap(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits with the network's cap, changed in place."""
        return logits if self._softcap is None else logits.div_(self._softcap).tanh_().mul_(self._softcap)


def can_screen_head(network: Any) -> bool:
    """Return whether this CPU computes a network's head faster if it is screened."""
    head, config = network.get_output_embeddings(), network.config.get_text_config()
    return network.device.type == "cpu" and head.bias is None and can_screen_logits(config, network.dtype)


def can_screen_logits(text_config: Any, dtype: torch.dtype) -> bool:
    """Return whether a vocabulary is large enough to be screened, in a dtype that is exact on a CPU."""
    return dtype is torch.float32 and text_config.vocab_size >= SCREENED_OUTPUTS and has_fbgemm()


def screen_head(network: Any, ids: torch.Tensor, hidden: torch.Tensor) -> None:
    """Replace the head of a network in place, if the head alone computes the network's logits.

    Args:
        network: the network, whose head this CPU can screen.
        ids: of typical text (1, tokens).
        hidden: their hidden states (tokens, inputs), which calibrate the int8 weights.
    """
    head = network.get_output_embeddings()
    # Compared afterwards: building the screen releases the pages of the weights' file that a comparison loads.
    softcap = getattr(network.config, "final_logit_softcapping", None)
    network.set_output_embeddings(ScreenedHead(head, hidden, softcap))
    if not is_head_last(network, ids[:, :COMPARED_TOKENS]):
        network.set_output_embeddings(head)


def is_head_last(network: Any, ids: torch.Tensor) -> bool:
    """Return whether a network's logits of ids (1, tokens) are those of its screened head, changed by its cap alone."""
    expected = network(input_ids=ids).logits
    head = network.get_output_embeddings()
    logits = head.cap(head(network.base_model(input_ids=ids).last_hidden_state))
    tolerance = EQUAL_LOGITS * float(expected.abs().max())
    return torch.allclose(logits, expected, rtol=0.0, atol=tolerance)
