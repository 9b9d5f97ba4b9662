"""The head of a network on a CPU, computed in two looks: a rough one at every token, an exact one at the best.

The head of Gemma has 262,144 outputs, more weights than all layers of the smallest one together, and a decode step
needs only the best of them. All are computed in bfloat16, in which half as many bytes are read, and the best again in
the dtype of the weights. So what is chosen is what the exact scores choose.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.engine.packed import PackedLinear, has_native_bfloat16
from workers.engine.pages import release_pages
from workers.engine.sampling import find_most
from workers.engine.stacked import OUTPUTS_AT_ONCE, build_linear

# Tokens of every row that are looked at twice. bfloat16 rounds a score by less than a half, and a token that far below
# the best is never among the best few dozen that a request draws from.
CANDIDATES = 64
# A head with fewer outputs is computed faster than it is screened.
SCREENED_OUTPUTS = 32_768
# Rows up to which weights that are not laid out are read faster from the left: three times with three rows.
FEW_ROWS = 8


class ScreenedHead(nn.Module):
    """A linear head whose scores can be had exactly, or exactly where they are large.

    Args:
        head: the head, in float32; its weights may be those of the embedding.
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight = head.weight
        self._screen = build_linear(head, lambda weight, _: PackedLinear(weight.bfloat16(), None))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the exact scores (..., outputs) of rows (..., inputs), for those who read all of them."""
        rows, shape = rows.flatten(0, -2), rows.shape[:-1]
        scores = rows.new_empty(len(rows), len(self.weight))
        pieces = (torch.split(whole, OUTPUTS_AT_ONCE, dim=dim) for whole, dim in ((self.weight, 0), (scores, -1)))
        for weight, target in zip(*pieces, strict=True):
            target.copy_((weight @ rows.T).T if len(rows) <= FEW_ROWS else rows @ weight.T)
            release_pages(weight)
        return scores.view(*shape, -1)

    def screen(self, rows: torch.Tensor) -> torch.Tensor:
        """Return scores (rows, outputs) of rows (rows, inputs), of which only the largest are exact."""
        scores = self._screen(rows.bfloat16()).float()
        best = find_most(scores, CANDIDATES)[1]
        exact = torch.bmm(self.weight[best], rows.unsqueeze(-1)).squeeze(-1)
        return scores.scatter_(-1, best, exact)


def screen_head(network: Any) -> None:
    """Replace the head of a network in float32 by a screened one, where this CPU gains by that."""
    head = network.get_output_embeddings()
    is_capped = getattr(network.config.get_text_config(), "final_logit_softcapping", None) is not None
    if has_native_bfloat16() and head.bias is None and head.out_features >= SCREENED_OUTPUTS and not is_capped:
        network.set_output_embeddings(ScreenedHead(head))
