import csv
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from workers.evaluation.candidates import CandidateKind, find_candidates


def find(text: str, kind: CandidateKind) -> list[str]:
    return [each.text for each in find_candidates(text) if each.kind is kind]


def test_names_are_runs_of_capitalized_words() -> None:
    text = "The Bank of England and Mary-Jane O'Neill met on International Women's Day."
    assert find(text, CandidateKind.NAME) == ["Bank of England", "Mary-Jane O'Neill", "International Women's Day"]


def test_a_word_that_only_opens_the_sentence_is_no_name() -> None:
    assert find("They said that nothing was found.", CandidateKind.NAME) == []


def test_numbers_keep_their_unit_and_scale() -> None:
    assert find("It lost $3.5 million, 12 % of it in 3rd place, after two wins by 3-1.", CandidateKind.NUMBER) == [
        "$3.5 million",
        "12 %",
        "3rd",
        "two",
        "3-1",
    ]


def test_dates_are_days_months_years_and_weekdays() -> None:
    text = "On 3 May 2015, in June 1999, on 2026-11-22, in the 1980s and last Friday."
    assert find(text, CandidateKind.DATE) == ["3 May 2015", "June 1999", "2026-11-22", "1980s", "Friday"]


def test_without_capitals_names_are_found_as_phrases() -> None:
    assert find("directed by kenneth ortega in glasgow", CandidateKind.PHRASE) == [
        "directed",
        "kenneth ortega",
        "glasgow",
    ]


def test_a_long_run_of_words_is_cut() -> None:
    assert find("the lady antebellum singer hillary scott", CandidateKind.PHRASE) == [
        "lady antebellum singer",
        "hillary scott",
    ]


def test_text_without_facts_has_no_candidates() -> None:
    assert find_candidates("It was what it was.") == ()


@given(st.text())
def test_candidates_of_any_text_are_spans_that_do_not_overlap(text: str) -> None:
    found = find_candidates(text)
    assert all(text[each.start : each.end] == each.text != "" for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_nearly_every_reference_summary_of_real_news_has_something_to_ask_for(shared_data: Path) -> None:
    with (shared_data / "cnn_dailymail_eval.csv").open(encoding="utf-8") as file:
        summaries = [row["highlights"] for row in csv.DictReader(file)]
    assert all(find_candidates(summary) for summary in summaries)
