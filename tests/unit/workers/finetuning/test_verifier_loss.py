"""Losses of claims and tokens: labels, weights, and gradients where something is known."""

from __future__ import annotations

import math
import re

import pytest
import torch

from workers.finetuning.claim_groups import WITHHELD, TrainingClaim
from workers.finetuning.false_words import Span
from workers.finetuning.verifier_loss import (
    SUPPORTED,
    UNKNOWN,
    UNSUPPORTED,
    UNSUPPORTED_WEIGHT,
    compute_claim_loss,
    compute_token_loss,
    label_tokens,
)

TEXT = "The council closed 45 bridges."


def split_tokens(text: str) -> list[Span]:
    """Return the spans of words with the space before them, as SentencePiece divides them, and of signs."""
    return [match.span() for match in re.finditer(r" ?\w+|\S", text)]


def label(claim: TrainingClaim, known: set[str] | None = None) -> list[int]:
    return label_tokens(claim, split_tokens(claim.text), known or set())


def test_only_tokens_that_touch_a_false_word_are_unsupported() -> None:
    claim = TrainingClaim(TEXT, False, "another number", ((19, 21),))
    assert label(claim) == [SUPPORTED, SUPPORTED, SUPPORTED, UNSUPPORTED, SUPPORTED, SUPPORTED]
    pieces = [(0, 19), (19, 20), (20, 21), (21, 30)]
    assert label_tokens(claim, pieces, set()) == [SUPPORTED, UNSUPPORTED, UNSUPPORTED, SUPPORTED]


def test_every_token_of_a_true_claim_is_supported() -> None:
    assert label(TrainingClaim(TEXT, True, "reference", ())) == [SUPPORTED] * 6


def test_nothing_is_known_of_the_tokens_of_a_claim_that_is_false_as_a_whole() -> None:
    assert label(TrainingClaim(TEXT, False, "given")) == [UNKNOWN] * 6


def test_of_a_withheld_claim_the_content_words_are_false_that_the_excerpt_lacks() -> None:
    claim = TrainingClaim(TEXT, False, WITHHELD, ((4, 11), (12, 18), (19, 21), (22, 29)))
    # The keys of words are stems.
    labels = label(claim, {"council", "bridg"})
    assert labels == [UNKNOWN, UNKNOWN, UNSUPPORTED, UNSUPPORTED, UNKNOWN, UNKNOWN]


def test_words_before_a_withheld_claim_have_no_label() -> None:
    claim = TrainingClaim("Overall, the council met.", False, WITHHELD, ((13, 20), (21, 24)))
    assert label(claim) == [UNKNOWN, UNKNOWN, UNKNOWN, UNSUPPORTED, UNSUPPORTED, UNKNOWN]


def test_true_and_false_claims_weigh_equally() -> None:
    claims = [TrainingClaim(TEXT, False, "given")] * 3 + [TrainingClaim(TEXT, True, "given", ())]
    logits = torch.tensor([1.0, 1.0, 1.0, -3.0])
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    assert compute_claim_loss(logits, claims).item() == pytest.approx(expected)
    only_true = compute_claim_loss(logits[3:], claims[3:]).item()
    assert only_true == pytest.approx(math.log1p(math.exp(-3)) / 2)


def test_an_unsupported_token_weighs_more_and_an_unknown_one_nothing() -> None:
    logits = torch.tensor([0.0, 0.0, 9.0], requires_grad=True)
    loss = compute_token_loss(logits, [UNSUPPORTED, SUPPORTED, UNKNOWN])
    assert loss.item() == pytest.approx((UNSUPPORTED_WEIGHT + 1) * math.log(2) / 2)
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-UNSUPPORTED_WEIGHT / 4, 0.25, 0.0])


def test_without_a_labelled_token_there_is_no_loss() -> None:
    assert compute_token_loss(torch.zeros(2), [UNKNOWN, UNKNOWN]).item() == 0
