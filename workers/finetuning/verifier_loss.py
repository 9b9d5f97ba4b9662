"""Loss of a verifier: of whole claims, and of the tokens whose truth is known.

A claim is false if one word of it is. The loss of whole claims reaches every token by their pooling; that of tokens
says which of them are false, where the claim was made by changing a true one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from workers.evaluation.lexical import read_words
from workers.finetuning.claim_groups import WITHHELD, TrainingClaim
from workers.finetuning.false_words import Span

# Labels of tokens.
SUPPORTED, UNSUPPORTED, UNKNOWN = 0, 1, -1
# Weight of an unsupported token: most tokens, even of false claims, are supported.
UNSUPPORTED_WEIGHT = 4.0


def compute_claim_loss(logits: torch.Tensor, claims: Sequence[TrainingClaim]) -> torch.Tensor:
    """Return the cross-entropy of claims, in which true and false ones weigh equally.

    Args:
        logits: logit of being unsupported of every claim.
        claims: the claims.
    """
    labels = torch.tensor([int(not claim.is_supported) for claim in claims], device=logits.device)
    counts = torch.bincount(labels, minlength=2).clamp(min=1)
    weights = len(labels) / (2 * counts[labels])
    return binary_cross_entropy_with_logits(logits, labels.float(), weight=weights)


def compute_token_loss(logits: torch.Tensor, labels: Sequence[int]) -> torch.Tensor:
    """Return the cross-entropy of labelled tokens; 0 without any.

    Args:
        logits: logit of being unsupported of every token.
        labels: labels of the same tokens.
    """
    targets = torch.tensor(labels, device=logits.device)
    known = targets != UNKNOWN
    if not known.any():
        return logits.new_zeros(())
    weight = logits.new_tensor(UNSUPPORTED_WEIGHT)
    return binary_cross_entropy_with_logits(logits[known], targets[known].float(), pos_weight=weight)


def label_tokens(claim: TrainingClaim, offsets: Sequence[Span], known: Collection[str]) -> list[int]:
    """Return the labels of a claim's tokens.

    Args:
        claim: the claim.
        offsets: characters of every token.
        known: keys of the words of the excerpt.
    """
    if claim.unsupported is None:
        return [UNKNOWN] * len(offsets)
    if claim.origin == WITHHELD:
        # Words that the excerpt has may stand in another context there: nothing is known about them.
        words = [(word.start, word.end) for word in read_words(claim.text) if word.key not in known]
        false = [word for word in words if _touches(word, claim.unsupported)]
        return [UNSUPPORTED if _touches(token, false) else UNKNOWN for token in offsets]
    return [UNSUPPORTED if _touches(token, claim.unsupported) else SUPPORTED for token in offsets]


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)
