"""Packing of claims behind one excerpt, so that one forward pass judges them all.

The sequence is the excerpt followed by every claim; each claim attends to the excerpt and to itself, never to another
claim (tree attention: Cai et al., Medusa 2024), and its positions follow those of the excerpt. The excerpt is computed
once, and every claim gets the result that it would get alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

# Wording of the verifier's prompt; a verifier works only with the wording of its training.
CLAIM_START = "\n\nClaim: "
CLAIM_END = "\nSupported:"


class PlainTokenizer(Protocol):
    """Tokenizer of plain texts."""

    @property
    def bos(self) -> tuple[int, ...]:
        """Token that begins every text; empty for none."""
        ...

    def encode_plain(self, text: str) -> list[int]:
        """Return the ids of a text in which control tokens are ordinary words."""
        ...


@dataclass(frozen=True, slots=True)
class PackedClaims:
    """Claims packed behind their excerpt.

    Args:
        ids: token ids (1, tokens).
        positions: position ids (1, tokens).
        mask: attention mask (1, 1, tokens, tokens), True where a token may attend.
        ends: index of the last token of every claim, where it is judged.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    ends: list[int]


def encode_claims(tokenizer: PlainTokenizer, excerpt: str, claims: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Return the token ids of an excerpt, with the token that begins a text, and of every claim in its wording."""
    # The wording is encoded apart, so that the tokens of a claim have the offsets of its text.
    start, end = tokenizer.encode_plain(CLAIM_START), tokenizer.encode_plain(CLAIM_END)
    encoded = [[*start, *tokenizer.encode_plain(claim), *end] for claim in claims]
    return [*tokenizer.bos, *tokenizer.encode_plain(excerpt)], encoded


def pack_claims(excerpt: Sequence[int], claims: Sequence[Sequence[int]]) -> PackedClaims:
    """Pack encoded claims behind an encoded excerpt."""
    ids, positions, segments, ends = list(excerpt), list(range(len(excerpt))), [0] * len(excerpt), []
    for number, claim in enumerate(claims, start=1):
        ids += claim
        positions += range(len(excerpt), len(excerpt) + len(claim))
        segments += [number] * len(claim)
        ends.append(len(ids) - 1)
    return PackedClaims(torch.tensor([ids]), torch.tensor([positions]), _build_mask(torch.tensor(segments)), ends)


def _build_mask(segments: torch.Tensor) -> torch.Tensor:
    """Return the mask (1, 1, tokens, tokens) for the segment of every token; segment 0 is the excerpt."""
    order = torch.arange(len(segments))
    is_visible = (segments[None, :] == 0) | (segments[:, None] == segments[None, :])
    return ((order[:, None] >= order[None, :]) & is_visible)[None, None]


def run_packed(body: Any, packed: PackedClaims) -> torch.Tensor:
    """Return the hidden states (claims, hidden size) at the ends of the claims, scaled to a mean square of 1.

    Args:
        body: transformers network without its head.
        packed: the claims.
    """
    device = body.device
    mask = packed.mask.to(device)
    kinds = set(getattr(body.config.get_text_config(), "layer_types", None) or ())
    hidden: torch.Tensor = body(
        input_ids=packed.ids.to(device),
        position_ids=packed.positions.to(device),
        # Networks with several kinds of layers take a mask for each. Sliding layers see the whole excerpt too, in
        # training as in serving; it is shorter than the window of real weights.
        attention_mask=dict.fromkeys(kinds, mask) if len(kinds) > 1 else mask,
        use_cache=False,
    ).last_hidden_state[0, packed.ends]
    hidden = hidden.float()
    return hidden * torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + 1e-6)
