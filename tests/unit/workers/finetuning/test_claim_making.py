"""Claims that are made from pairs: true ones follow from the text, false ones do not, and the seed decides."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest

from workers.finetuning.claim_groups import ClaimGroup, TrainingClaim
from workers.finetuning.claim_making import (
    compress,
    frame_claim,
    join_claims,
    lower_claim,
    make_claims,
    make_group,
    read_material,
)
from workers.finetuning.corruptions import CORRUPTIONS
from workers.finetuning.pairs import PairSet, clean_pairs

TOWNS = ("Northport", "Easton", "Westbrook", "Southend")


def write_text(number: int) -> str:
    town, other = TOWNS[number % 4], TOWNS[(number + 1) % 4]
    return (
        f"The council of {town} has closed {number + 2} bridges, which are all older than the town hall, on Monday. "
        f"Engineers from {other} were asked to measure the piers before the winter storms arrive this year. "
        f"Repairs, according to the treasurer, will cost the town of {town} about {number + 40} million in total. "
        "A ferry will carry students and commuters across the water during the long months of rebuilding. "
        "Shopkeepers near the old market fear that fewer visitors will come while the roads remain closed. "
        "The mayor said that she was sorry, and that free buses would run every ten minutes until spring. "
        "Divers from the harbour almost drowned in the cold river, and the army planned to send help that week. "
        "Otto Lindqvist, a retired captain, remembers the flood of the last century very well indeed."
    )


@pytest.fixture(scope="module")
def pairs() -> PairSet:
    """Pairs with summaries of two sentences."""
    rows = [
        (write_text(number), f"{TOWNS[number % 4]} has closed {number + 2} bridges. A ferry will run in their place.")
        for number in range(40)
    ]
    return clean_pairs([*rows, ("", "No text."), ("No summary.", "")])


@pytest.fixture(scope="module")
def by_origin(pairs: PairSet) -> dict[str, list[tuple[ClaimGroup, TrainingClaim]]]:
    found = defaultdict(list)
    for group in make_claims(pairs, seed=1).groups:
        for claim in group.claims:
            found[claim.origin].append((group, claim))
    return found


def test_claims_of_every_origin_are_made(by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]]) -> None:
    true = {"reference", "two references", "compressed", "copied"}
    assert set(by_origin) == true | {*CORRUPTIONS, "withheld", "another text"} - {"roles exchanged"}
    for origin, found in by_origin.items():
        assert {claim.is_supported for _, claim in found} == {origin in true}


def test_a_withheld_sentence_is_missing_from_its_text(
    by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]],
) -> None:
    for group, claim in by_origin["withheld"]:
        ending = claim.text.rstrip(".").rpartition(", ")[2][-25:]
        assert ending.lower() not in group.source.lower()


def test_a_copied_sentence_stands_in_its_text(by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]]) -> None:
    for group, claim in by_origin["copied"]:
        assert claim.text[-40:].lower() in group.source.lower()


def test_a_corrupted_claim_stands_nowhere_in_its_text(
    by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]],
) -> None:
    assert all(claim.text not in group.source for kind in CORRUPTIONS for group, claim in by_origin.get(kind, ()))


def test_the_false_words_of_a_corrupted_claim_are_known_and_lie_within_it(
    by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]],
) -> None:
    # Where a word is only missing, no word is false by itself.
    assert {claim.unsupported for _, claim in by_origin["hedge dropped"]} == {None}
    for kind in CORRUPTIONS.keys() - {"hedge dropped"}:
        for _, claim in by_origin.get(kind, ()):
            assert claim.unsupported
            false = [claim.text[start:end] for start, end in claim.unsupported]
            assert all(words and words == words.strip(" .,;") for words in false)
    numbers = [(claim.text, claim.unsupported) for _, claim in by_origin["another number"]]
    found = [text[start:end] for text, spans in numbers for start, end in spans or ()]
    assert all(re.fullmatch(r"\d+|[a-z]+", words) for words in found)
    assert any(word.isdigit() for word in found)


def test_true_claims_have_no_false_words_and_foreign_ones_are_false_as_a_whole(
    by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]],
) -> None:
    for origin in ("reference", "two references", "compressed", "copied"):
        assert {claim.unsupported for _, claim in by_origin[origin]} == {()}
    assert {claim.unsupported for _, claim in by_origin["another text"]} == {None}


def test_the_content_words_of_a_withheld_claim_are_listed_without_its_frame(
    by_origin: dict[str, list[tuple[ClaimGroup, TrainingClaim]]],
) -> None:
    for _, claim in by_origin["withheld"]:
        words = {claim.text[start:end].lower() for start, end in claim.unsupported or ()}
        assert words
        assert words.isdisjoint({"article", "report", "reported", "author", "notes", "overall", "addition"})


def test_false_words_move_with_a_frame_and_with_letters_that_have_two_in_lower_case() -> None:
    claim = TrainingClaim("The İzmir council met.", False, "another name", ((4, 9),))
    for seed in range(20):
        framed = lower_claim(frame_claim(claim, random.Random(seed)))
        [(start, end)] = framed.unsupported or ()
        assert framed.text[start:end] == "İzmir".lower()


def test_some_texts_and_their_claims_are_in_lower_case(pairs: PairSet) -> None:
    groups = make_claims(pairs, seed=1).groups
    lower = [group for group in groups if group.source.islower()]
    assert 0 < len(lower) < len(groups) / 2
    assert all(claim.text.islower() for group in lower for claim in group.claims)


def test_the_seed_decides_every_claim(pairs: PairSet) -> None:
    first, same, other = (make_claims(pairs, seed=seed).data_hash for seed in (1, 1, 2))
    assert first == same != other


def test_rows_without_text_or_summary_are_counted(pairs: PairSet) -> None:
    skipped = make_claims(pairs, seed=1).skipped
    assert (skipped["rows without a text"], skipped["rows without a summary"]) == (1, 1)


def test_summaries_of_one_text_make_one_group() -> None:
    rows = [(write_text(1), "The council closed three bridges."), (write_text(1), "A ferry will carry commuters.")]
    claims = make_claims(clean_pairs(rows), seed=1)
    assert len(claims.groups) == 1
    assert [claim.origin for claim in claims.claims].count("reference") == 2


@pytest.mark.parametrize("text", ["Hi", "No sentence at all", "\n\n", "東京は雨です。", "a " * 5000])
def test_any_text_is_survived(text: str) -> None:
    group, _ = make_group(read_material(text, ["It is a short text about nothing."]), None, random.Random(1))
    assert group is None or all(claim.text for claim in group.claims)


def test_an_insertion_or_a_clause_at_the_end_is_dropped() -> None:
    made = {
        compress("Repairs, according to the treasurer, will cost the town 40 million.", random.Random(seed))
        for seed in range(9)
    }
    assert "Repairs will cost the town 40 million." in made
    assert compress("The council has closed two bridges, which are old.", random.Random(1)) == (
        "The council has closed two bridges."
    )
    assert compress("The council closed two bridges.", random.Random(1)) is None


def test_claims_are_joined_to_one_sentence() -> None:
    joined = {join_claims("It rose.", "The council met.", random.Random(seed)) for seed in range(9)}
    assert joined == {"It rose, and the council met.", "It rose, while the council met.", "It rose; the council met."}


def test_a_frame_stands_before_true_and_false_claims_alike() -> None:
    for is_supported in (True, False):
        claim = TrainingClaim("The council met.", is_supported, "reference")
        framed = [frame_claim(claim, random.Random(seed)) for seed in range(60)]
        assert 8 < sum(other.text != claim.text for other in framed) < 30
        assert all(other.text.endswith("he council met.") and other.is_supported is is_supported for other in framed)
