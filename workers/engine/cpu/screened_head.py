"""The head of a network on a CPU, computed in two looks: a rough one at every token, an exact one at the best.

The head of Gemma has 262,144 outputs, more weights than all layers of the smallest one together, and a decode step
needs only the best of them. All are computed in eight bits, in which a quarter of the bytes are read, and the best
again in the dtype of the weights. The errors of the rough scores are seen on the way: a row whose last candidate is too
near to what is wanted of it is computed exactly as a whole. So what is chosen is what the exact scores choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from workers.engine.block_topk import block_topk
from workers.engine.cpu.chunked_linear import OUTPUTS_AT_ONCE, build_linear
from workers.engine.cpu.half import has_fbgemm
from workers.engine.cpu.int8 import SAFE_WEIGHT, Int8Linear, measure_max
from workers.engine.cpu.memory import release_pages

# Candidates of a row, for each token that is wanted of it, and the fewest and the most: six for each of twenty put the
# last candidate 11 times the usual error below the last wanted token (the least of 200 rows of real text).
CANDIDATES_EACH, MIN_CANDIDATES, MAX_CANDIDATES = 6, 64, 512
# How far below the last wanted token the last candidate must be, in usual errors of the row: none of 50 million rough
# scores of real text was further off.
SAFE_ERRORS = 8.0
# A head with fewer outputs is computed faster than it is screened.
SCREENED_OUTPUTS = 32_768
# Rows up to which weights that are not laid out are read faster from the left: three times with three rows.
FEW_ROWS = 8


class ScreenedHead(nn.Module):
    """A linear head whose scores can be had exactly, or exactly where they are large.

    Args:
        head: the head; its weights may be those of the embedding.
        hidden: what reaches it (tokens, inputs) from usual text.
    """

    def __init__(self, head: nn.Linear, hidden: torch.Tensor) -> None:
        super().__init__()
        self.weight = head.weight
        largest = measure_max(hidden, dim=0).squeeze(0)
        self._screen = build_linear(head, lambda weight, _: Int8Linear(weight, None, largest, max_weight=SAFE_WEIGHT))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the exact scores (..., outputs) of rows (..., inputs), for those who read all of them."""
        rows, shape = rows.flatten(0, -2), rows.shape[:-1]
        scores = rows.new_empty(len(rows), len(self.weight))
        pieces = (torch.split(whole, OUTPUTS_AT_ONCE, dim=dim) for whole, dim in ((self.weight, 0), (scores, -1)))
        for weight, target in zip(*pieces, strict=True):
            target.copy_((weight @ rows.T).T if len(rows) <= FEW_ROWS else rows @ weight.T)
            release_pages(weight)
        return scores.view(*shape, -1)

    def screen(
        self, rows: torch.Tensor, wanted: Sequence[int], lowered: Iterable[tuple[slice, Sequence[int]]] = ()
    ) -> torch.Tensor:
        """Return scores (rows, outputs) of rows (rows, inputs), of which only the largest need be exact.

        Args:
            rows: what reaches the head.
            wanted: how many of the largest must be exact and in place, for each row; 0 for all.
            lowered: of which outputs the scores of which rows, all wanting the same, will be made smaller before the
                largest are looked for.
        """
        scores = self._screen(rows)
        asked = torch.tensor(wanted)
        counts = asked.clamp(max=MAX_CANDIDATES // CANDIDATES_EACH)
        can_screen = (counts == asked) & (counts > 0)
        lowered = [(some, outputs) for some, outputs in lowered if can_screen[some.start]]
        most = max(int(counts.max()) * CANDIDATES_EACH, MIN_CANDIDATES)
        rough, best = block_topk(scores, MAX_CANDIDATES if lowered else most)
        exact = torch.bmm(self.weight[best], rows.unsqueeze(-1)).squeeze(-1)
        scores.scatter_(-1, best, exact)
        error = (exact - rough).square().mean(dim=-1).sqrt()
        # What will be lowered stands for nothing: those that stay must be enough.
        for some, outputs in lowered:
            exact[some].masked_fill_(torch.isin(best[some], torch.tensor(outputs)), -torch.inf)
        last = exact.sort(descending=True).values.gather(-1, (counts - 1).clamp_(min=0).unsqueeze(-1)).squeeze(-1)
        is_safe = can_screen & (last - rough[:, -1] > SAFE_ERRORS * error)
        if not is_safe.all():
            scores[~is_safe] = self(rows[~is_safe])
        return scores


def can_screen_head(network: Any) -> bool:
    """Return whether a network's head gains by being screened on this CPU."""
    head = network.get_output_embeddings()
    is_capped = getattr(network.config.get_text_config(), "final_logit_softcapping", None) is not None
    is_exact = network.device.type == "cpu" and network.dtype is torch.float32 and has_fbgemm()
    return is_exact and head.bias is None and head.out_features >= SCREENED_OUTPUTS and not is_capped


def screen_head(network: Any, hidden: torch.Tensor) -> None:
    """Replace the head of a network by a screened one, in place; hidden (tokens, inputs) is what usually reaches it."""
    network.set_output_embeddings(ScreenedHead(network.get_output_embeddings(), hidden))
