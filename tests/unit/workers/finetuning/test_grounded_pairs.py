"""Grounded pairs hold nothing that their texts do not bear out."""

from __future__ import annotations

import random

import pytest

from workers.evaluation.lexical import split_sentences
from workers.evaluation.verification import SourceText
from workers.finetuning.grounded_pairs import GroundedPair, ground_pair
from workers.finetuning.pairs import Pair

PLACES = ("Arden", "Belmont", "Corley", "Denby", "Elston", "Farnham", "Garston", "Hexham", "Ilkley", "Jarrow")
TEXT = " ".join(
    f"The mill of {place} burned down in {1890 + number} after a lamp fell into the dry straw of its lower store. "
    f"Its owner sold the land of {place} for {300 + 7 * number} pounds and moved to the coast with his two daughters. "
    f"Nobody rebuilt the walls, and the stones went into the long bridge that crosses the river below the village."
    for number, place in enumerate(PLACES)
)
SUMMARY = (
    "The mill of Arden burned down in 1890. The mill of Jarrow burned down in 1899. The mill of Karsley burned in 1950."
)


GIVEN = Pair(TEXT, SUMMARY)


def cut(text: str) -> tuple[str, bool]:
    """Return the first 900 characters, to the end of a sentence."""
    return (text, False) if len(text) <= 900 else (text[:900].rpartition(". ")[0] + ".", True)


def ground(seed: int, pair: Pair = GIVEN) -> GroundedPair:
    """Return the pair of one draw."""
    found = ground_pair(pair, truncate=cut, generator=random.Random(seed))
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_text_bears_out_every_sentence_of_the_summary_whatever_is_drawn(seed: int) -> None:
    pair = ground(seed).pair
    sentences = [sentence.text for sentence in split_sentences(pair.target)]
    assert sentences
    assert all(verdict.is_borne_out for verdict in SourceText(pair.source, judge=None).verify(sentences))


def test_all_kinds_of_texts_are_drawn() -> None:
    texts = [ground(seed).pair.source for seed in range(60)]
    assert sum(text == cut(TEXT)[0] for text in texts) >= 10
    assert sum("\n\n" in text for text in texts) >= 5
    assert sum(text in TEXT and not TEXT.startswith(text) for text in texts) >= 5


def test_what_the_cut_text_does_not_say_is_left_out_and_counted() -> None:
    beginnings = [found for found in map(ground, range(40)) if TEXT.startswith(found.pair.source)]
    assert {found.pair.target for found in beginnings} == {"The mill of Arden burned down in 1890."}
    assert {found.dropped for found in beginnings} == {2}


def test_a_text_of_which_the_summary_says_nothing_gets_its_own_salient_sentences() -> None:
    found = ground(1, Pair(TEXT, "Prices of copper rose by 4 per cent."))
    assert all(sentence.text in TEXT for sentence in split_sentences(found.pair.target))


def test_some_prompts_ask_for_the_length_that_the_summary_has() -> None:
    found = [ground(seed) for seed in range(80)]
    asked = [(one.words, len(one.pair.target.split())) for one in found if one.words is not None]
    assert 10 <= len(asked) <= 40
    assert all(abs(words - length) <= 4 for words, length in asked)


def test_a_text_without_sentences_gives_no_pair() -> None:
    assert ground_pair(Pair("...", "Nothing."), truncate=lambda text: (text, False), generator=random.Random(0)) is None
