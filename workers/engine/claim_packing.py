"""Packing of claims behind one excerpt, so that one forward pass judges them all.

The sequence is the excerpt followed by every claim; each claim attends to the excerpt and to itself, never to another
claim (tree attention: Cai et al., Medusa 2024), and its positions follow those of the excerpt. The excerpt is computed
once, and every claim gets the result that it would get alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
class EncodedClaims:
    """Token ids of an excerpt and of claims about it.

    Args:
        excerpt: the excerpt, with the token that begins a text.
        start: wording before every claim.
        claims: the claims.
        end: wording after every claim.
    """

    excerpt: list[int]
    start: list[int]
    claims: list[list[int]]
    end: list[int]

    def split(self, size: int) -> Iterator[EncodedClaims]:
        """Yield the claims in groups of at most this many."""
        for first in range(0, len(self.claims), size):
            yield replace(self, claims=self.claims[first : first + size])


@dataclass(frozen=True, slots=True)
class PackedClaims:
    """Claims packed behind their excerpt.

    Args:
        ids: token ids (1, tokens).
        positions: position ids (1, tokens).
        mask: attention mask (1, 1, tokens, tokens), True where a token may attend.
        spans: the tokens of every claim at which it is judged: its own, and the wording after it.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    spans: list[range]


def encode_claims(tokenizer: PlainTokenizer, excerpt: str, claims: Sequence[str]) -> EncodedClaims:
    """Return the token ids of an excerpt and of claims about it."""
    # The wording is encoded apart, so that the tokens of a claim have the offsets of its text.
    return EncodedClaims(
        excerpt=[*tokenizer.bos, *tokenizer.encode_plain(excerpt)],
        start=tokenizer.encode_plain(CLAIM_START),
        claims=[tokenizer.encode_plain(claim) for claim in claims],
        end=tokenizer.encode_plain(CLAIM_END),
    )


def pack_claims(encoded: EncodedClaims, *, pad_to: Callable[[int], int] = lambda tokens: tokens) -> PackedClaims:
    """Pack encoded claims behind their excerpt, with padding at the end.

    Args:
        encoded: the claims.
        pad_to: returns the number of tokens to pad a number of tokens to; without padding by default.
    """
    ids, segments, spans = list(encoded.excerpt), [0] * len(encoded.excerpt), []
    positions = list(range(len(ids)))
    for number, claim in enumerate(encoded.claims, start=1):
        tokens = [*encoded.start, *claim, *encoded.end]
        spans.append(range(len(ids) + len(encoded.start), len(ids) + len(tokens)))
        ids += tokens
        positions += range(len(encoded.excerpt), len(encoded.excerpt) + len(tokens))
        segments += [number] * len(tokens)
    padding = [0] * (pad_to(len(ids)) - len(ids))
    ids, positions = ids + padding, positions + padding
    # A segment of its own, behind all others, which no claim attends to.
    segments += [len(spans) + 1] * len(padding)
    return PackedClaims(torch.tensor([ids]), torch.tensor([positions]), _build_mask(torch.tensor(segments)), spans)


def _build_mask(segments: torch.Tensor) -> torch.Tensor:
    """Return the mask (1, 1, tokens, tokens) for the segment of every token; segment 0 is the excerpt."""
    order = torch.arange(len(segments))
    is_visible = (segments[None, :] == 0) | (segments[:, None] == segments[None, :])
    return ((order[:, None] >= order[None, :]) & is_visible)[None, None]


def run_packed(body: Any, packed: PackedClaims) -> list[torch.Tensor]:
    """Return the hidden states (tokens, hidden size) at the judged tokens of every claim, with a mean square of 1.

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
    ).last_hidden_state[0]
    return [_normalize(hidden[span.start : span.stop].float()) for span in packed.spans]


def _normalize(hidden: torch.Tensor) -> torch.Tensor:
    return hidden * torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + 1e-6)


def pool_tokens(logits: torch.Tensor) -> torch.Tensor:
    """Return the logit, a scalar, of a claim being unsupported, from the logits (tokens) of its tokens.

    The logarithm of the mean of their exponentials: near the maximum, so that one false word makes a claim false, yet
    every token gets a gradient.
    """
    return logits.logsumexp(dim=0) - math.log(len(logits))
