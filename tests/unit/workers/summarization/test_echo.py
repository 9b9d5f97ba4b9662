from __future__ import annotations

from workers.summarization.echo import repeats_instructions, repeats_source

SOURCE = " ".join(f"Sentence number {number} says something of its own." for number in range(30))
LONG = " ".join(f"Sentence number {number} says something of its own." for number in range(300))


def test_the_whole_source_again_is_an_echo() -> None:
    assert repeats_source(SOURCE, SOURCE)
    assert repeats_source(SOURCE.upper().replace(" ", "\n"), SOURCE)


def test_most_of_the_source_behind_other_words_is_an_echo() -> None:
    assert repeats_source(f"The text reads: {SOURCE[200:1300]} and so on.", SOURCE)


def test_a_page_of_a_long_source_is_an_echo() -> None:
    assert repeats_source(LONG[3000:5000], LONG)


def test_a_few_quoted_sentences_are_none() -> None:
    assert not repeats_source(SOURCE[:200], SOURCE)
    assert not repeats_source(f"{SOURCE[:150]} And then {SOURCE[600:750]}", SOURCE)


def test_a_text_too_short_to_be_said_otherwise_may_be_repeated() -> None:
    assert not repeats_source("The pump runs again.", "The pump runs again.")


def test_a_line_of_the_instructions_is_an_echo_unless_it_is_short() -> None:
    line = "Summarize the following text in 2 to 3 sentences, please."
    assert repeats_instructions(f"I will: {line.upper()}", [line])
    assert not repeats_instructions("Summary: yes", ["Summary:"])
