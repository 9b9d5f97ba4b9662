from __future__ import annotations

from workers.evaluation.lexical import split_sentences
from workers.evaluation.passages import PassageIndex

TEXT = (
    "The council met on Monday. It is not true that the bridge will be closed in March. "
    "Engineers found rust in nine cables. They want to replace them next year. "
    "The mayor praised the library. A new school opens in autumn."
)


def count_words(text: str) -> int:
    return len(text.split())


def make_index(text: str = TEXT) -> PassageIndex:
    return PassageIndex(split_sentences(text))


def test_a_copied_sentence_is_found_with_its_place() -> None:
    assert make_index().find_verbatim("Engineers found rust in nine cables!") == [2]


def test_two_copied_sentences_are_found_together() -> None:
    assert make_index().find_verbatim("Engineers found rust in nine cables. They want to replace them next year") == [
        2,
        3,
    ]


def test_a_part_of_a_sentence_that_denies_it_is_no_copy() -> None:
    assert make_index().find_verbatim("The bridge will be closed in March.") == []


def test_another_inflection_is_no_copy() -> None:
    assert make_index().find_verbatim("Engineers find rust in nine cables") == []


def test_a_few_words_are_no_copy() -> None:
    assert make_index().find_verbatim("The council met") == []


def test_the_best_match_comes_first() -> None:
    assert make_index().rank("rust in the cables of the bridge")[0] == 2


def test_an_excerpt_has_the_best_sentence_with_its_neighbours_in_order() -> None:
    excerpt = make_index().pick_excerpt(["rust in nine cables"], count_tokens=count_words, budget_tokens=28)

    assert "Engineers found rust in nine cables. They want to replace them next year." in excerpt
    assert "library" not in excerpt


def test_a_gap_in_an_excerpt_is_a_line_break() -> None:
    claims = ["The council met", "A new school opens in autumn"]

    excerpt = make_index().pick_excerpt(claims, count_tokens=count_words, budget_tokens=16)

    assert excerpt.split("\n") == ["The council met on Monday.", "A new school opens in autumn."]


def test_an_excerpt_of_a_short_source_is_all_of_it() -> None:
    assert make_index().pick_excerpt(["mayor"], count_tokens=count_words, budget_tokens=500) == TEXT


def test_an_empty_source_gives_an_empty_excerpt() -> None:
    assert make_index("").pick_excerpt(["mayor"], count_tokens=count_words, budget_tokens=50) == ""
    assert make_index("").find_verbatim("the mayor praised the library") == []
