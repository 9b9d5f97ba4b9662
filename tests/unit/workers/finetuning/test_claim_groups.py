"""Groups of claims are split by document, the same way for the same seed."""

from __future__ import annotations

import pytest

from workers.finetuning.claim_groups import ClaimGroup, ClaimSet, TrainingClaim, identify_document
from workers.finetuning.errors import TooFewClaimsError

CLAIM = TrainingClaim("The council closed both bridges.", True, "given")


def build_set(documents: str) -> ClaimSet:
    """Return a set with a group for every letter, which names its document."""
    return ClaimSet(tuple(ClaimGroup(f"Text {place}", (CLAIM,), letter) for place, letter in enumerate(documents)))


def test_no_document_is_both_trained_on_and_held_out() -> None:
    train, held_out = build_set("aabbccdd").split(2, seed=3)
    assert len({group.document for group in held_out}) == 2
    assert (len(train), len(held_out)) == (4, 4)
    assert not {group.document for group in train} & {group.document for group in held_out}


def test_the_seed_decides_the_split_and_the_order() -> None:
    claims = build_set("abcdefghijklmnop")
    assert claims.split(4, seed=1) == claims.split(4, seed=1)
    assert claims.split(4, seed=1) != claims.split(4, seed=2)


def test_nothing_may_be_held_out() -> None:
    train, held_out = build_set("ab").split(0, seed=1)
    assert (len(train), held_out) == (2, [])


@pytest.mark.parametrize(("documents", "held_out", "needed"), [("a", 0, 2), ("abc", 2, 4), ("aaaa", 1, 2)])
def test_more_documents_are_asked_for(documents: str, held_out: int, needed: int) -> None:
    with pytest.raises(TooFewClaimsError, match=f"bring at least {needed} texts or lower the held-out number"):
        build_set(documents).split(held_out, seed=1)


def test_the_hash_tells_text_verdict_origin_and_false_words() -> None:
    changed = [
        TrainingClaim("Another claim about bridges.", True, "given"),
        TrainingClaim(CLAIM.text, False, "given"),
        TrainingClaim(CLAIM.text, True, "reference"),
        TrainingClaim(CLAIM.text, True, "given", ((0, 3),)),
    ]
    hashes = {ClaimSet((ClaimGroup("Text", (claim,), "a"),)).data_hash for claim in (CLAIM, *changed)}
    assert len(hashes) == 5


def test_versions_of_a_document_have_one_identity() -> None:
    assert identify_document("( CNN ) The river 's banks .") == identify_document("(CNN) the river's banks.")
    assert identify_document("The river rose.") != identify_document("The river fell.")
