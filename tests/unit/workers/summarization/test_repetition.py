from __future__ import annotations

import pytest

from workers.summarization.repetition import drop_repeated, has_loop, repeats_instructions, repeats_source


@pytest.mark.parametrize(
    "text",
    [
        "Mercury is dark. " * 5,
        "It began well. " + "Mercury's surface is mostly dark, but it's not completely black. " * 3,
        "the the the the the the the the the the the the",
        "The model is good.\n\nThe model is bad.\n\n" * 4,
        "* The child can understand the model.\n* The child can see it.\n" * 3,
        "* 1" + "0" * 80,
        "ha" * 40,
        "\u597d" * 60,
        "工作者运行这些步骤" * 20,
        "工作者运行这些步骤\uff0c" * 20,
        "水泵坏了吗\uff1f" * 7,
        "ポンプが動きません" * 5,
        "ปั๊มไม่ทำงาน" * 5,
        "thepumpisbroken" * 8,
        "one two three four five six seven eight nine ten eleven twelve " * 3,
        "The project is being built by four years. " * 2,
        "It began well. The pump broke.\nTHE PUMP BROKE. It ended.",
        "- The crew mended pumps\n- The crew mended pumps",
        "The pump broke. Nobody slept. The pump broke. Nobody slept.",
        "Cafe\u0301s open at five. Caf\u00e9s open at five.",
        "पुल मार्च में खुला। " * 2,
        "پل مارچ میں کھلا۔ " * 2,
        "افتتح الجسر الجديد. افتتح الجسر الجديد.",
        "တံတားသစ်ကို ဖွင့်သည်။" * 2,
        "ድልድዩ ዛሬ ተከፈተ። " * 2,
        "Կամուրջը բացվեց այսօր։ " * 2,
        "ស្ពានថ្មីបានបើក។" * 2,
        "橋は三月に開通した。" * 2,
        "新桥开放了！新桥开放了。",
        "ปั๊มไม่ทำงาน ปั๊มไม่ทำงาน",
        "새 다리가 열렸다. 새 다리가 열렸다.",
    ],
)
def test_a_loop_is_found(text: str) -> None:
    assert has_loop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A short answer.",
        "very very very good",
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 1 | 3 |\n" + "-" * 60,
        "The score was 0.81 on fold 1. The score was 0.82 on fold 2. The score was 0.83 on fold 3.",
        "船员修好了水泵\uff0c水泵又能运行了。第二天\uff0c水泵又坏了\uff0c船员又把它修好了。",
        "ポンプは壊れた。乗組員はポンプを直した。ポンプはまた動いている。",
        "https://example.org/a/b/c?d=" + "0123456789abcdef" * 3,
        "New York, New York. The city that never sleeps. A place that many people love.",
        "Cost: low. Cost: low.",
        "The pump broke. Nobody slept. The pump broke.",
        "पुल खुला। लोग खुश हैं। पुल खुला।",
        "好的。好的。",
        "The score was 1.5 in May. The score was 1.6 in May.",
    ],
)
def test_an_ordinary_text_is_no_loop(text: str) -> None:
    assert not has_loop(text)


def test_a_long_endless_text_is_judged_in_no_time() -> None:
    assert has_loop("abc " * 50_000)
    assert not has_loop(" ".join(str(number) for number in range(20_000)))
    assert not has_loop("".join(str(number) for number in range(20_000)))


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


@pytest.mark.parametrize(
    "again",
    [
        "The crew mended all the pumps.",
        "the crew mended all pumps!",
        "However, the crew mended all the pumps.",
    ],
)
def test_a_sentence_that_says_the_same_again_is_dropped(again: str) -> None:
    assert drop_repeated(f"The crew mended all the pumps. Nobody slept. {again} Then it rained.") == (
        "The crew mended all the pumps. Nobody slept. Then it rained."
    )


@pytest.mark.parametrize(
    "other",
    [
        "The crew mended all nine pumps.",
        "The crew never mended all the pumps.",
        "All the pumps mended the crew.",
        "The crew mended all the pumps on the island of Lundy in the night.",
    ],
)
def test_a_sentence_that_says_something_else_with_the_same_words_stays(other: str) -> None:
    text = f"The crew mended all the pumps. {other}"
    assert drop_repeated(text) == text


def test_an_item_said_twice_goes_with_its_marker() -> None:
    text = "1. The crew mended the pumps.\n2. The crew mended the pumps.\n3. It rained on all days."
    assert drop_repeated(text) == "1. The crew mended the pumps.\n3. It rained on all days."
    assert drop_repeated("- The crew mended pumps\n- The crew mended pumps") == "- The crew mended pumps"


def test_labels_may_stand_twice() -> None:
    assert drop_repeated("Cost: low. Cost: low.") == "Cost: low. Cost: low."
