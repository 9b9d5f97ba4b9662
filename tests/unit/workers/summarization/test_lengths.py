from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.summarization.texts import documents
from workers.summarization.lengths import count_words, limit_sentences, limit_tokens


@given(text=documents, words=st.integers(20, 60))
def test_a_limited_text_is_a_beginning_of_the_text_and_no_sentence_is_cut(text: str, words: int) -> None:
    short = limit_sentences(text, words)
    assert text.startswith(short)
    assert short == text or not text[len(short)].strip() or short[-1] in "\u3002\uff01\uff1f!?"


def test_a_text_of_about_the_requested_length_stays_whole() -> None:
    text = "One two three four five. " * 5
    assert limit_sentences(text, 20) == text


def test_the_sentence_that_goes_too_far_is_left_out_unless_it_is_the_first() -> None:
    assert limit_sentences("One two. " + "many " * 30 + "words.", 20) == "One two."
    assert count_words(limit_sentences("many " * 30 + "words. One two.", 20)) == 31


def test_a_requested_length_never_allows_more_tokens_than_the_user_did() -> None:
    assert [limit_tokens(512, words) for words in (None, 20, 100, 1000)] == [512, 78, 390, 512]
