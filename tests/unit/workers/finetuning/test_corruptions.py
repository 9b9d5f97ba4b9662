"""Each corruption makes a claim false in its own way, or says that there is nothing to change."""

from __future__ import annotations

import random

import pytest

from workers.finetuning.corruptions import (
    CORRUPTIONS,
    attribute_falsely,
    drop_hedge,
    exchange_nouns,
    find_names,
    negate,
    splice_sentences,
    swap_date,
    swap_name,
    swap_noun,
    swap_number,
    swap_pronoun,
    swap_roles,
    swap_verb,
    swap_word,
)
from workers.finetuning.false_words import find_changes
from workers.finetuning.opposites import OPPOSITES, PRONOUNS

SOURCE = (
    "The mayor of Northport, Maria Vance, closed 12 bridges on Monday. She was seen with Otto Lindqvist. "
    "The harbour was under two metres of mud. Repairs have cost 45 million and rose by 3.5%."
)


def list_outcomes(kind: str, claim: str) -> set[str | None]:
    """Return what a corruption makes of a claim with many seeds."""
    return {CORRUPTIONS[kind](claim, SOURCE, random.Random(seed)) for seed in range(40)}


def test_a_name_becomes_another_name_of_the_source() -> None:
    outcomes = list_outcomes("another name", "On Monday the bridges were closed by Maria Vance.")
    assert outcomes == {
        "On Monday the bridges were closed by Northport.",
        "On Monday the bridges were closed by Otto Lindqvist.",
    }


def test_two_names_change_places() -> None:
    claim = "On Monday Maria Vance met Otto Lindqvist."
    assert swap_roles(claim, SOURCE, random.Random(1)) == "On Monday Otto Lindqvist met Maria Vance."


@pytest.mark.parametrize("joint", [" and ", ", ", " or "])
def test_names_of_a_list_keep_their_places(joint: str) -> None:
    assert swap_roles(f"It hit Maria Vance{joint}Otto Lindqvist.", SOURCE, random.Random(1)) is None


def test_a_number_becomes_another_one_of_the_source_or_with_another_digit() -> None:
    outcomes = list_outcomes("another number", "They closed 12 bridges.")
    assert "They closed 45 bridges." in outcomes
    assert "They closed 12 bridges." not in outcomes
    assert all(outcome is not None and "%" not in outcome for outcome in outcomes)


def test_a_percentage_becomes_another_percentage() -> None:
    outcomes = list_outcomes("another number", "Costs rose by 4%.")
    assert all(outcome is not None and outcome.endswith("%.") for outcome in outcomes)


def test_a_numeral_becomes_another_numeral() -> None:
    outcomes = list_outcomes("another number", "The mud is two metres deep.")
    assert "The mud is three metres deep." in outcomes
    assert "The mud is two metres deep." not in outcomes


def test_days_and_months_are_exchanged_among_themselves() -> None:
    assert list_outcomes("another date", "It closed on Monday.") == {
        f"It closed on {day}." for day in ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    }
    assert len(list_outcomes("another date", "It closed in June.")) == 11


def test_a_word_becomes_its_opposite() -> None:
    assert swap_word("Costs rose again.", SOURCE, random.Random(1)) == "Costs fell again."


def test_a_pronoun_changes_its_gender_and_keeps_its_capital() -> None:
    assert swap_pronoun("She was seen.", SOURCE, random.Random(1)) == "He was seen."


def test_a_statement_is_denied() -> None:
    assert negate("The harbour was open.", SOURCE, random.Random(1)) == "The harbour was not open."
    assert negate("The harbour was not open.", SOURCE, random.Random(1)) is None


def test_a_subject_gets_the_predicate_of_a_neighbouring_sentence() -> None:
    spliced = splice_sentences("She was seen with Otto Lindqvist.", SOURCE, random.Random(1))
    assert spliced == "She was under two metres of mud."


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_claim_without_anything_to_change_gives_none(kind: str) -> None:
    assert list_outcomes(kind, "Nothing happens here.") == {None}


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("claim", ["", " ", "12", "Maria Vance", "is", "He", "東京は雨。", "Ä" * 500])
def test_any_text_is_survived(kind: str, claim: str) -> None:
    for source in ("", SOURCE):
        outcome = CORRUPTIONS[kind](claim, source, random.Random(1))
        assert outcome is None or outcome != claim


@pytest.mark.parametrize("corrupt", [swap_name, swap_number, swap_date])
def test_the_seed_decides_the_outcome(corrupt: object) -> None:
    claim = "On Monday Maria Vance closed 12 bridges."
    first, second = (corrupt(claim, SOURCE, random.Random(5)) for _ in range(2))  # type: ignore[operator]
    assert first == second != claim


def test_names_are_more_than_a_capital_at_the_start_and_no_dates() -> None:
    names = find_names("Bridges closed on Monday in June. The Harbour Trust's head met Maria Vance.")
    assert names == [("Harbour Trust", 38), ("Maria Vance", 63)]


def test_no_word_is_its_own_opposite() -> None:
    for table in (OPPOSITES, PRONOUNS):
        assert all(word not in others and word == word.lower() for word, others in table.items())


def test_a_hedge_is_dropped() -> None:
    assert drop_hedge("The tomato plants almost died.", SOURCE, random.Random(1)) == "The tomato plants died."
    assert drop_hedge("They planned to close it.", SOURCE, random.Random(1)) == "They close it."


def test_two_nouns_are_exchanged_and_both_are_the_false_words() -> None:
    true, false = "It shows the owner of the dog.", "It shows the dog of the owner."
    assert exchange_nouns(true, SOURCE, random.Random(1)) == false
    assert [false[start:end] for start, end in find_changes(false, true) or ()] == ["dog", "owner"]


def test_verbs_and_nouns_come_from_the_source() -> None:
    source = "Rangers rescued the calf. The river flooded the valley of the south."
    assert swap_verb("They closed it.", source, random.Random(1)) in ("They rescued it.", "They flooded it.")
    assert swap_noun("They closed the bridge.", source, random.Random(1)) in (
        "They closed the valley.",
        "They closed the south.",
    )


def test_a_statement_gets_a_speaker_who_stands_far_from_it() -> None:
    near = "The bridge closed after the storm. It had stood for years. Nobody was hurt. Boats took people over."
    source = f"{near} Trains ran late. Later, by the lake, Otto Lindqvist sold boats."
    claim = attribute_falsely("The bridge closed after the storm.", source, random.Random(1))
    assert claim is not None
    assert claim.startswith("Otto Lindqvist ")
    assert claim.endswith(" that the bridge closed after the storm.")
    assert attribute_falsely("He said the bridge closed.", source, random.Random(1)) is None
