"""The false words of a corrupted claim are found, and nothing that its original has."""

from __future__ import annotations

import pytest

from workers.finetuning.false_words import find_changes, list_content, shift_spans


@pytest.mark.parametrize(
    ("claim", "original", "changed"),
    [
        ("They closed 45 bridges.", "They closed 12 bridges.", ["45"]),
        ("Costs rose by $3.5, not more.", "Costs rose by $3.6, not more.", ["$3.5"]),
        ("Costs rose by 4%.", "Costs rose by 9%.", ["4%"]),
        ("The harbour was not open.", "The harbour was open.", ["not"]),
        ("He was seen.", "She was seen.", ["He"]),
        ("It was closed by Otto Lindqvist.", "It was closed by Maria Vance.", ["Otto Lindqvist"]),
        ("The Harbour Trust's head spoke.", "The Town's head spoke.", ["Harbour Trust's"]),
        ("She was under two metres of mud.", "She was seen with Otto.", ["under two metres of mud"]),
        ("The team lost to Easton.", "The team beat Easton.", ["lost to"]),
        ("It cost “45 million”.", "It cost “54 million”.", ["45"]),
    ],
)
def test_changed_words_are_found(claim: str, original: str, changed: list[str]) -> None:
    spans = find_changes(claim, original)
    assert spans is not None
    assert [claim[start:end] for start, end in spans] == changed


def test_exchanged_names_are_both_false_and_the_verb_is_not() -> None:
    claim = "On Monday Otto Lindqvist met Maria Vance."
    spans = find_changes(claim, "On Monday Maria Vance met Otto Lindqvist.")
    assert spans is not None
    assert [claim[start:end] for start, end in spans] == ["Otto", "Lindqvist", "Maria", "Vance"]


@pytest.mark.parametrize(
    ("claim", "original"),
    [("It rose.", "It rose."), ("It rose.", "It rose again."), ("", ""), ("", "It rose."), ("…", "-")],
)
def test_a_claim_without_changed_words_has_no_spans(claim: str, original: str) -> None:
    assert find_changes(claim, original) is None


def test_content_words_are_all_but_stop_words() -> None:
    claim = "The council has closed 12 bridges."
    assert [claim[start:end] for start, end in list_content(claim)] == ["council", "closed", "12", "bridges"]


def test_spans_move_with_the_text_before_them() -> None:
    assert shift_spans([(0, 2), (5, 9)], 10) == ((10, 12), (15, 19))
