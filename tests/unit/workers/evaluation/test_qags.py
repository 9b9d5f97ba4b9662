import pytest

from workers.evaluation.qags import normalize_answer, score_f1


def test_answers_are_compared_without_case_punctuation_and_articles() -> None:
    assert normalize_answer("The  U.S., a Court!") == "us court"


@pytest.mark.parametrize(
    ("answer", "expected", "f1"),
    [
        ("the Eiffel Tower", "Eiffel tower.", 1.0),
        ("Tower", "Eiffel Tower", 2 / 3),
        ("Paris", "Rome", 0.0),
        ("Paris Paris", "Paris", 2 / 3),
        ("", "Paris", 0.0),
        ("the", "", 1.0),
        ("unanswerable", "unanswerable", 1.0),
    ],
)
def test_f1_counts_the_tokens_that_both_answers_have(answer: str, expected: str, f1: float) -> None:
    assert score_f1(answer, expected) == pytest.approx(f1)
