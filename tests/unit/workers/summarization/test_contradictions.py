from __future__ import annotations

import pytest

from workers.evaluation.lexical import split_sentences
from workers.summarization.contradictions import find_contradictions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Arsenal win 2-1 at Old Trafford. The game was rough. United win 2-1 at Old Trafford.", {0, 2}),
        ("The bridge closes on 3 March for repairs. The bridge closes on 5 March for repairs.", {0, 1}),
        ("Arsenal win 2-1 at Old Trafford. Arsenal win 2-1 at Old Trafford.", set()),
        ("Ada Brown praised the library. Ada Brown praised the school.", set()),
        ("Rust was found in nine cables. The mayor praised the library.", set()),
        ("", set()),
    ],
)
def test_sentences_that_say_the_same_of_other_names_or_numbers_contradict_each_other(
    text: str, found: set[int]
) -> None:
    assert find_contradictions(split_sentences(text)) == found
