from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.evaluation.facts import FactKind, find_facts


def find(text: str, *, capitals: set[str] | None = None) -> list[str]:
    return [fact.text for fact in find_facts(text, capitals=frozenset(capitals or ()))]


@pytest.mark.parametrize("word", ["However", "Compared", "Note", "Overall", "Additionally", "Sources"])
def test_a_capital_at_the_beginning_of_a_sentence_makes_no_name(word: str) -> None:
    assert find(f"{word}, the plan failed.") == []
    assert find(f'They left. "{word}, it rained."') == []


def test_a_word_at_the_beginning_is_a_name_if_the_source_has_it_with_a_capital_or_it_is_an_acronym() -> None:
    assert find("Arsenal won.", capitals={"arsenal"}) == ["Arsenal"]
    assert find("NASA won.") == ["NASA"]
    assert find("EfficientNet won.") == ["EfficientNet"]


def test_names_inside_a_sentence_are_runs_of_capitals() -> None:
    assert find("They met Mary-Jane O'Neill of the Bank of England and Bob.") == [
        "Mary-Jane O'Neill",
        "Bank of England",
        "Bob",
    ]


def test_a_heading_has_no_names_by_its_capitals_alone() -> None:
    assert find("A Long Walk Through The Empty Streets") == []


@pytest.mark.parametrize(
    "text",
    [
        "1. The plan failed.",
        "The plan failed.\n2) It was late.",
        "There are three topics.",
        "It failed for two main reasons.",
        "First, the plan failed.",
        "Here is a summary of the text in 84 words:",
        "It is one of the best.",
    ],
)
def test_list_numbers_and_counting_words_are_no_facts(text: str) -> None:
    assert find(text) == []


def test_identifiers_and_figures_of_technical_text_are_facts() -> None:
    text = "It trains EfficientNet-B3 with 5-fold splits of `train.csv` at lr=1e-4 and max_len=512 to reach 0.871."
    assert find(text) == ["EfficientNet-B3", "5", "train.csv", "1e-4", "max_len", "512", "0.871"]
    assert find_facts("see train.csv")[0].kind is FactKind.IDENTIFIER


def test_numbers_keep_unit_currency_and_scale() -> None:
    assert find("it lost $3.5 million, 12 % of it, in 3 weeks, after losing 3-1 on 12 May 2014") == [
        "$3.5 million",
        "12 %",
        "3 weeks",
        "3-1",
        "12 May 2014",
    ]


@given(st.text())
def test_facts_of_any_text_are_spans_that_do_not_overlap(text: str) -> None:
    found = find_facts(text)
    assert all(text[fact.start : fact.end] == fact.text != "" for fact in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
