from __future__ import annotations

import pytest

from tests.unit.workers.summarization.texts import LANGUAGES
from workers.generation import FinishReason, PromptFormat
from workers.summarization.guards import Verdict, check_output, choose_best
from workers.summarization.prompts import PromptSet

STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
SOURCE = " ".join(f"On day {number} the crew of the ship repaired another broken pump." for number in range(20))


def check(
    output: str,
    *,
    finish_reason: FinishReason = STOP,
    source: str = SOURCE,
    prompt_format: PromptFormat = PromptFormat.CHAT,
    language: str | None = None,
    words: int | None = None,
) -> Verdict:
    prompt = PromptSet("news", prompt_format).render("map", text=source)
    return check_output(
        output, finish_reason=finish_reason, source=source, prompt=prompt, language=language, words=words
    )


def list_guards(verdict: Verdict) -> list[str]:
    return [mark.guard for mark in verdict.marks]


def test_a_good_answer_passes() -> None:
    verdict = check("The crew repaired twenty pumps in twenty days.")
    assert (verdict.text, verdict.marks) == ("The crew repaired twenty pumps in twenty days.", ())
    assert verdict.is_clean


def test_scaffolding_is_taken_off_without_a_mark() -> None:
    assert check("Sure, here's a summary:\n\nPumps were repaired.") == Verdict("Pumps were repaired.", ())


@pytest.mark.parametrize(
    "output",
    ["", "\n ", "<eos>", "Sure, here's a summary of the text:", "\u200b\ufeff", "...", "---", "**Summary**", "Summary"],
)
def test_an_empty_answer_is_never_usable(output: str) -> None:
    verdict = check(output)
    assert not verdict.is_usable
    assert verdict.notes == ("the answer was empty",)


def test_a_cut_answer_ends_at_its_last_whole_sentence_and_is_marked() -> None:
    verdict = check("Pumps broke. The crew repaired them. Then the capt", finish_reason=LENGTH)
    assert verdict.text == "Pumps broke. The crew repaired them."
    assert list_guards(verdict) == ["cut"]


def test_a_cut_answer_without_a_whole_sentence_is_kept_as_it_is() -> None:
    assert check("The crew of the", finish_reason=LENGTH).text == "The crew of the"


def test_an_answer_longer_than_its_source_is_marked() -> None:
    source = SOURCE[:300]
    words = " ".join(f"Pump {number} broke and was mended." for number in range(12))
    verdict = check(words, source=source)
    assert "too-long" in list_guards(verdict)


def test_a_tiny_source_may_have_a_longer_answer() -> None:
    answer = "This section links to the data page of the competition."
    assert check(answer, source="# Data\nlink") == Verdict(answer, ())


def test_a_cut_answer_that_ends_with_a_whole_sentence_has_lost_nothing() -> None:
    assert check("Pumps broke. The crew repaired them.", finish_reason=LENGTH).is_clean


def test_a_sentence_said_twice_is_left_out_with_a_remark_and_without_a_mark() -> None:
    verdict = check("The crew repaired pumps. Nobody slept. The crew repaired the pumps. They sang.")
    assert (verdict.text, verdict.marks) == ("The crew repaired pumps. Nobody slept. They sang.", ())
    assert [remark.name for remark in verdict.remarks] == ["said-twice"]


def test_whole_sentences_beyond_the_requested_length_are_left_out_with_a_remark() -> None:
    answer = " ".join(f"Pump {number} broke and was mended by the crew." for number in range(10))
    verdict = check(answer, words=20)
    assert verdict.text == "Pump 0 broke and was mended by the crew. Pump 1 broke and was mended by the crew."
    assert (verdict.marks, [remark.name for remark in verdict.remarks]) == ((), ["length"])


def test_an_answer_that_was_cut_beyond_the_requested_length_has_lost_nothing() -> None:
    answer = " ".join(f"Pump {number} broke and was mended by the crew." for number in range(10))
    assert check(f"{answer} And the", words=20, finish_reason=LENGTH).is_clean


def test_a_loop_is_marked() -> None:
    assert list_guards(check("The pump is broken. " * 10)) == ["repetition"]


def test_the_source_again_is_marked() -> None:
    assert "echo" in list_guards(check(SOURCE))


def test_the_prompt_again_is_marked() -> None:
    prompt = PromptSet("news", PromptFormat.CHAT).render("map", text=SOURCE)
    assert "echo" in list_guards(check(prompt.text))


@pytest.mark.parametrize(
    "output",
    [
        "I'm sorry, but I cannot summarize this text.",
        "I am unable to help with that.",
        "As an AI language model, I have no access to files.",
        "Please provide the text that you would like me to summarize.",
        "Unfortunately, I can not read it.",
        "I apologize, but I am unable to summarize.",
        "There is no text provided to summarize.",
        "It seems like you haven't provided any text.",
        "The text you provided is empty.",
        "My apologies, there was an error. Please provide the text.",
        "Unfortunately, the provided text contains no content.",
        "Let me know if you need anything else.",
    ],
)
def test_a_refusal_is_marked(output: str) -> None:
    assert list_guards(check(output)) == ["refusal"]


@pytest.mark.parametrize(
    "output",
    [
        "The text contains no numbers but explains the design.",
        "Unfortunately, I found that the project failed.",
        "There is no text on the third stone.",
        "Sorry sights met the crew: broken pumps.",
    ],
)
def test_an_answer_that_only_sounds_like_a_refusal_is_clean(output: str) -> None:
    assert check(output) == Verdict(output, ())


def test_a_source_may_refuse() -> None:
    source = f"I cannot go on, said the captain. {SOURCE}"
    answer = "I cannot go on, said the captain of the ship."
    assert check(answer, source=source) == Verdict(answer, ())


def test_another_language_than_that_of_the_source_is_marked() -> None:
    verdict = check(LANGUAGES["german"], source=LANGUAGES["english"] * 3)
    assert verdict.notes == ("the answer is in German instead of English",)


def test_another_language_than_the_one_asked_for_is_marked() -> None:
    assert check(LANGUAGES["german"], source=LANGUAGES["english"] * 3, language="German").is_clean
    assert list_guards(check(LANGUAGES["french"], source=LANGUAGES["english"] * 3, language="German")) == ["language"]


def test_an_answer_in_another_script_is_marked_however_short() -> None:
    verdict = check("Мост был открыт.", source=LANGUAGES["english"] * 3)
    assert verdict.notes == ("the answer is in Cyrillic letters instead of Latin ones",)


def test_the_same_sentence_twice_in_a_row_is_marked() -> None:
    assert list_guards(check("The crew repaired the pumps. The crew repaired the pumps.")) == ["repetition"]


def test_a_users_template_may_ask_for_another_language() -> None:
    source = LANGUAGES["english"] * 3
    prompt = PromptSet("custom", PromptFormat.CHAT, template="Auf Deutsch bitte: {text}").render("map", text=source)
    assert check_output(LANGUAGES["german"], finish_reason=STOP, source=source, prompt=prompt).is_clean


def test_a_language_that_nothing_can_detect_is_not_judged() -> None:
    verdict = check(LANGUAGES["french"], source=LANGUAGES["english"] * 3, language="Klingon")
    assert verdict == Verdict(LANGUAGES["french"], ())


def test_the_best_try_is_the_one_with_the_mildest_marks_and_never_an_empty_one() -> None:
    empty, loop = check(""), check("The pump is broken. " * 10)
    cut = check("The crew repaired pumps. Then", finish_reason=LENGTH)
    assert choose_best([empty, cut, loop]) is cut
    assert choose_best([empty, loop, empty]) is loop
    assert not choose_best([empty, empty]).is_usable
