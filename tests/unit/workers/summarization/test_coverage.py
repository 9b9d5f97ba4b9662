from __future__ import annotations

import pytest

from workers.summarization.coverage import measure_coverage, note_coverage, pick_missing

PARTS = [
    "The ship left Bristol with barley and a crew of nine.",
    "A storm broke the mast of the ship near Lundy.",
    "Fishermen towed the ship to Ilfracombe, where carpenters mended it.",
]


def test_coverage_is_the_share_of_an_inputs_own_words_in_the_output() -> None:
    assert measure_coverage("A storm broke the mast.", PARTS) == pytest.approx([0, 3 / 5, 0])


def test_words_that_most_inputs_share_cover_none_of_them() -> None:
    assert measure_coverage("The ship.", PARTS) == [0, 0, 0]


def test_an_input_without_words_of_its_own_is_covered() -> None:
    assert measure_coverage("The ship.", ["The ship.", "The ship.", "The mast."]) == [1, 1, 0]


def test_a_note_names_the_inputs_that_the_output_says_nothing_of() -> None:
    assert note_coverage(PARTS[0], PARTS) == "says nothing of parts 2, 3 of 3"
    assert note_coverage(f"{PARTS[0]} {PARTS[1]}", PARTS) == "says nothing of part 3 of 3"
    assert note_coverage("Left Bristol; a storm near Lundy; towed to Ilfracombe.", PARTS) is None


def test_the_first_sentence_of_every_missing_input_is_picked_in_order() -> None:
    outputs = [PARTS[0], f"{PARTS[1]} The captain was calm.", PARTS[2]]
    assert pick_missing(PARTS[0], outputs, words=60) == PARTS[1:]


def test_no_more_is_picked_than_the_length_allows() -> None:
    assert pick_missing(PARTS[0], PARTS, words=22) == [PARTS[1]]
    assert pick_missing(PARTS[0], PARTS, words=12) == []


def test_nothing_is_picked_where_every_input_is_covered() -> None:
    assert pick_missing(" ".join(PARTS), PARTS, words=100) == []
