from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.word_judge import WordJudge
from workers.evaluation.verification import SourceText
from workers.summarization.grounded import GroundedAnswer
from workers.summarization.grounding import find_claims, ground_answer
from workers.summarization.quotation import drop_open_quotes

SOURCE = (
    "The city council met on Monday evening. Engineers found rust in nine cables of the old bridge. "
    "Mayor Ada Brown praised the library on Elm Street. A new school opens in autumn."
)


def ground(text: str, *, source: str = SOURCE, mode: str = "strict") -> GroundedAnswer:
    return ground_answer(text, SourceText(source, WordJudge()), mode=mode)  # type: ignore[arg-type]


def list_kinds(grounded: GroundedAnswer) -> list[tuple[str, str]]:
    return [(grounded.text[item.start : item.end], item.kind) for item in grounded.sentences]


def test_a_sentence_that_the_source_bears_out_stays() -> None:
    grounded = ground("The council met on Monday.")

    assert list_kinds(grounded) == [("The council met on Monday.", "verified")]
    [(start, end)] = grounded.sentences[0].spans[:1]
    assert SOURCE[start:end] == "The city council met on Monday evening."


def test_a_false_sentence_is_replaced_by_the_nearest_one_of_the_source_in_quotation_marks() -> None:
    grounded = ground("Engineers replaced nine cables of the bridge yesterday. A new school opens in autumn.")

    assert list_kinds(grounded) == [
        ("\u201cEngineers found rust in nine cables of the old bridge.\u201d", "quoted"),
        ("A new school opens in autumn.", "verified"),
    ]
    assert grounded.replaced == 1


def test_a_false_sentence_is_dropped_if_its_nearest_one_is_said_already() -> None:
    grounded = ground("Engineers found rust in nine cables of the old bridge. Engineers like the nine cables.")

    assert grounded.text == "Engineers found rust in nine cables of the old bridge."
    assert grounded.replaced == 1


def test_two_false_sentences_do_not_quote_the_same_sentence_twice() -> None:
    grounded = ground("Engineers saw nine bridges. Engineers lost nine cables.")

    assert grounded.text.count("Engineers found rust") == 1


def test_a_quotation_that_nothing_closes_loses_its_mark_and_whole_ones_keep_theirs() -> None:
    whole = "\u201cMayor Ada Brown praised the library on Elm Street.\u201d"

    grounded = ground(f"\u201cA new school opens in autumn. {whole}")

    assert list_kinds(grounded) == [
        ("A new school opens in autumn.", "verified"),
        (whole, "quoted"),
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\u201cA rose.", "A rose."),
        ("\u201cA rose.\n\nB rose.\u201d", "A rose.\n\nB rose.\u201d"),
        ("\u201cA rose. B rose.\u201d C fell.", "\u201cA rose. B rose.\u201d C fell."),
        ("A \u201crose\u201d and \u201cfell.", "A \u201crose\u201d and fell."),
        # German.
        ("\u201eA stieg.\u201c B fiel.", "\u201eA stieg.\u201c B fiel."),
    ],
)
def test_only_marks_of_open_quotations_are_dropped(text: str, kept: str) -> None:
    assert drop_open_quotes(text) == kept


def test_a_flag_keeps_the_sentence_with_its_reason() -> None:
    grounded = ground("Engineers replaced nine cables.", mode="flag")

    [sentence] = grounded.sentences
    assert grounded.text == "Engineers replaced nine cables."
    assert sentence.kind == "flagged"
    assert sentence.reason
    assert sentence.spans == ()


def test_without_grounding_nothing_is_checked() -> None:
    grounded = ground_answer("Pigs fly. Cats too.", None, mode="off")

    assert list_kinds(grounded) == [("Pigs fly.", "unchecked"), ("Cats too.", "unchecked")]


def test_a_quotation_that_is_generated_again_is_quoted() -> None:
    grounded = ground("\u201cEngineers found rust in nine cables of the old bridge.\u201d")

    assert [item.kind for item in grounded.sentences] == ["quoted"]


def test_the_marks_of_a_list_stay_before_the_sentence() -> None:
    grounded = ground("- The council met on Monday.\n- Engineers replaced nine cables of the bridge.")

    assert grounded.text.split("\n")[1] == "- \u201cEngineers found rust in nine cables of the old bridge.\u201d"


def test_a_quotation_without_a_full_stop_ends_its_line() -> None:
    source = (
        "- Engineers replaced 12 cables in spring\n- Divers looked at the nine piers\n\nA new school opens in autumn."
    )
    grounded = ground("Boris replaced 9173 cables. A new school opens in autumn.", source=source)

    assert grounded.text == "\u201cEngineers replaced 12 cables in spring\u201d\nA new school opens in autumn."
    assert [claim.text for claim in find_claims(grounded.text)] == [text for text, _ in list_kinds(grounded)]


def test_list_numbers_are_no_part_of_a_claim() -> None:
    assert [claim.text for claim in find_claims("1. The council met.\n2) It rained.\n**Bold** words.")] == [
        "The council met.",
        "It rained.",
        "Bold** words.",
    ]


@given(st.lists(st.sampled_from([*SOURCE.split(". "), "Pigs fly to Mars", "Bob Smith paid $5 million"]), max_size=6))
def test_a_strict_answer_has_only_verified_and_quoted_sentences_that_cover_it(sentences: list[str]) -> None:
    grounded = ground(". ".join(sentences))

    assert {item.kind for item in grounded.sentences} <= {"verified", "quoted"}
    assert "Mars" not in grounded.text
    assert "$5" not in grounded.text
    ends = [0, *(item.end for item in grounded.sentences)]
    starts = [*(item.start for item in grounded.sentences), len(grounded.text)]
    assert not any(any(map(str.isalnum, grounded.text[end:start])) for end, start in zip(ends, starts, strict=True))


def test_an_answer_of_which_nothing_is_left_becomes_an_extract_of_the_source() -> None:
    grounded = ground(
        "Pigs fly to Mars.", source="# Notes\n\nThe mayor of the small town praised the new library again."
    )

    assert list_kinds(grounded) == [("The mayor of the small town praised the new library again.", "quoted")]


@pytest.mark.parametrize("mode", ["strict", "flag"])
def test_a_translation_is_flagged_because_it_cannot_be_verified(mode: str) -> None:
    source = SourceText(SOURCE, WordJudge())
    answer = "Der Stadtrat traf sich am Montag. Ingenieure fanden Rost in neun Seilen der Br\u00fccke."

    grounded = ground_answer(answer, source, mode=mode, language="German")  # type: ignore[arg-type]

    assert (grounded.text, grounded.language) == (answer, "english")
    assert {item.kind for item in grounded.sentences} == {"flagged"}


def test_the_language_of_the_source_is_verified_though_it_was_asked_for() -> None:
    grounded = ground_answer(
        "The council met on Monday.", SourceText(SOURCE, WordJudge()), mode="strict", language="English"
    )

    assert [item.kind for item in grounded.sentences] == ["verified"]


def test_sentences_that_say_the_same_of_two_names_are_both_refused() -> None:
    source = "Danny Welbeck scored as Arsenal beat Manchester United 2-1 in the FA Cup at Old Trafford."

    grounded = ground("Arsenal 2-1 United at Old Trafford. Manchester 2-1 United at Old Trafford.", source=source)

    assert list_kinds(grounded) == [(f"\u201c{source}\u201d", "quoted")]


HEADED = (
    "## Rust in the cables of the bridge\n\nEngineers found rust in nine cables. It was old.\n\n## 539eb3c46507\n\n"
    + SOURCE
)


def test_a_heading_of_the_source_is_no_statement() -> None:
    grounded = ground(
        "539eb3c46507. Rust in the cables of the bridge. Engineers found rust in nine cables.", source=HEADED
    )

    assert list_kinds(grounded) == [("Engineers found rust in nine cables.", "verified")]
    flagged = ground("Rust in the cables of the bridge.", source=HEADED, mode="flag")
    assert flagged.sentences[0].reason == "it repeats a heading of the source, which asserts nothing"


def test_a_sentence_is_no_heading() -> None:
    grounded = ground("# Engineers found rust in nine cables.", source=HEADED)

    assert grounded.text == "Engineers found rust in nine cables."


def test_a_heading_of_the_source_stays_a_heading() -> None:
    answer = "## Rust in the cables of the bridge\n\nEngineers found rust in nine cables."

    assert ground(answer, source=HEADED).text == answer


@pytest.mark.parametrize("title", ["Rust", "The rust in the cables of the bridge"])
def test_the_title_of_the_source_is_no_part_of_a_summary(title: str) -> None:
    source = f"# {title}\n\nEngineers found rust in nine cables. It was old."

    grounded = ground(f"# {title}\n\nEngineers found rust in nine cables.", source=source)

    assert grounded.text == "Engineers found rust in nine cables."


WRAPPED = """# Pumps

The pump of the north station was repaired on Monday by two
workers of the town, who had waited for a seal. It runs again.

- a first item without a stop
- a second item without a stop
"""


@pytest.mark.parametrize(
    "fragment",
    ["The pump of the north station was repaired on Monday by two", "workers of the town, who had waited for a seal."],
)
def test_a_copy_of_one_line_of_a_wrapped_sentence_is_quoted_whole(fragment: str) -> None:
    source = SourceText(WRAPPED, None)
    whole = (
        "The pump of the north station was repaired on Monday by two workers of the town, who had waited for a seal."
    )

    strict, flagged = (ground_answer(fragment, source, mode="strict"), ground_answer(fragment, source, mode="flag"))

    assert strict.text.strip("\u201c\u201d") == whole
    assert flagged.sentences[0].reason == "it breaks off within a sentence of the source"


@pytest.mark.parametrize(
    "copy",
    [
        "The pump of the north station was repaired on Monday by two workers of the town, who had waited for a seal.",
        "It runs again.",
        "a first item without a stop",
    ],
)
def test_a_whole_sentence_or_item_of_a_wrapped_text_is_verified(copy: str) -> None:
    grounded = ground_answer(copy, SourceText(WRAPPED, None), mode="strict")

    assert [sentence.kind for sentence in grounded.sentences] == ["verified"]


def test_a_sentence_on_two_lines_whose_lines_are_both_copied_is_quoted_once() -> None:
    copied = (
        "The pump of the north station was repaired on Monday by two\nworkers of the town, who had waited for a seal."
    )

    grounded = ground_answer(f"{copied} It runs again. The", SourceText(WRAPPED, None), mode="strict")

    assert grounded.text == f"\u201c{' '.join(copied.split())}\u201d It runs again."


@pytest.mark.parametrize(
    "torn",
    ["The pump of the north station was repaired on Monday by two workers of the town, who had waited", "It runs"],
)
def test_a_copy_that_ends_within_a_line_is_quoted_whole(torn: str) -> None:
    grounded = ground_answer(torn, SourceText(WRAPPED, None), mode="strict")

    assert grounded.text.strip("\u201c\u201d").endswith(("waited for a seal.", "It runs"))


@pytest.mark.parametrize(
    ("source", "answer", "left"),
    [
        (
            "\u6a4b\u306f\u5b89\u5168\u3060\u3002Cables.",
            "Cables. \u5927\u4f7f\u306f\u6b7b\u3093\u3060\u3002\u6a4b\u306f\u5b89\u5168\u3060\u3002",
            "Cables. \u6a4b\u306f\u5b89\u5168\u3060\u3002",
        ),
        (
            "It holds bridge 12. cables hang.",
            "It holds bridge 12. Boris painted 8264 nights. cables hang.",
            "It holds bridge 12.\ncables hang.",
        ),
    ],
)
def test_what_stood_beside_a_dropped_sentence_is_not_run_together(source: str, answer: str, left: str) -> None:
    grounded = ground_answer(answer, SourceText(source, None), mode="strict")

    assert grounded.text == left


LISTED = """The Pumps Of The North Station
==============================

The pump of the north station was repaired on Monday. It was repaired like this:

- **Power:** two engines that were bought in spring
- **Motor:** Siemens (Type 42)

pumps like this one will warn at night if the flow (of the river) is
low or if the filter is closed, and they stop by themselves then.

The Town Council of Kent
"""


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        # A copy of a title, with and without its underline, of a name, and of an announcement.
        (
            "The Pumps Of The North Station\n====\n\nThe pump was repaired on Monday.",
            "The pump was repaired on Monday.",
        ),
        ("The pump was repaired on Monday.\nThe Town Council of Kent", "The pump was repaired on Monday."),
        ("The pump was repaired on Monday. It was repaired like this:", "The pump was repaired on Monday."),
        # What announces an item stays with it.
        (
            "It was repaired like this:\n- two engines that were bought in spring",
            "It was repaired like this:\n- two engines that were bought in spring",
        ),
        ("1. It was repaired like this:\n2. It was repaired on Monday.", "It was repaired on Monday."),
        # The marks of emphasis of a quoted item stay whole, and the mark of the last item that is left goes.
        (
            "- **Power:** 9 engines from 1812\n- Mayor Berg paid 100 euros",
            "\u201c**Power:** two engines that were bought in spring\u201d",
        ),
        # A sentence that begins in lower case is quoted whole, also instead of one of its lines.
        (
            "low or if the filter is closed, and they stop by themselves then.",
            "\u201cpumps like this one will warn at night if the flow (of the river) is low or if the filter is "
            "closed, and they stop by themselves then.\u201d",
        ),
        (
            "pumps like that one will warn if the flow (of the river) is 7 km/h",
            "\u201cpumps like this one will warn at night if the flow (of the river) is low or if the filter is "
            "closed, and they stop by themselves then.\u201d",
        ),
    ],
)
def test_what_asserts_nothing_is_neither_kept_nor_quoted(answer: str, left: str) -> None:
    grounded = ground_answer(answer, SourceText(LISTED, None), mode="strict")

    assert grounded.text == left
    assert ground_answer(left, SourceText(LISTED, None), mode="strict").text == left


@pytest.mark.parametrize(
    "dateline",
    [
        "LONDON, March 3 (Reuters) - ",
        "Dhaka, Bangladesh (CNN)",
        "(CNN) ",
        "(HLN)",
        "(CNN Business) -- ",
        "Rio de Janeiro (AP) \u2014 ",
    ],
)
def test_a_dateline_is_no_part_of_a_summary(dateline: str) -> None:
    source = f"{dateline}The council closed the bridge on Monday. It opens in May."
    grounded = ground_answer("The council closed nine bridges on Friday.", SourceText(source, None), mode="strict")
    copied = ground_answer(source, SourceText(source, None), mode="strict")

    assert grounded.text == "\u201cThe council closed the bridge on Monday.\u201d"
    assert copied.text == "The council closed the bridge on Monday. It opens in May."
    assert {sentence.kind for sentence in copied.sentences} == {"verified"}


CUT = """across version 1.20, the new servers reject old requests for tickets. The servers warn at night.

```bash
pumpctl weights remove the merged ones
```

| the merged ones | weigh nine tons |
|---|---|

More about the pumps of the station : https://example.com/pumps/merged

The following contributors have provided code, patches, bug
reports and gifts:

9028 Constify the name of the field in four tables of the pump
9031 Fix the verification of the signature of the pump
"""


@pytest.mark.parametrize(
    "invented",
    [
        "Across version 1.21, the new servers reject old requests for 7 tickets.",
        "The merged weights that pumpctl removes weigh 9 tons.",
        "There is more about 12 pumps of the station at example.org.",
        "The following 12 contributors have provided code, patches and bug fixes in 1999.",
    ],
)
def test_what_is_no_sentence_of_the_document_is_not_quoted(invented: str) -> None:
    grounded = ground_answer(f"{invented} The servers warn at night.", SourceText(CUT, None), mode="strict")

    assert grounded.text == "The servers warn at night."


@pytest.mark.parametrize(
    "text",
    [
        # Names with their short forms, and dates.
        "The British Broadcasting Corporation (BBC) was founded in 1922 by a group of engineers.",
        "The Australian Federal Police (AFP) arrested nine men in Sydney on Monday.",
        "8. Mai 1945 war der Tag, an dem der Krieg in Europa endete.",
        "1. FC K\u00f6ln gewann das Spiel gegen Bayern mit drei Toren.",
        "- 12 degrees was the lowest temperature in Kent on Monday.",
        # Lines without a full stop that state something.
        "Mayor resigns after weeks of protest over the pay of teachers",
        "Due Date: Friday, March 15, 2024",
        "Germany beats Brazil 7-1",
        "Bundeskanzler Olaf Scholz besucht Kanada",
        "\u82f9\u679c\u516c\u53f8\u7684 iPhone \u4e0e Apple \u624b\u8868\u5468\u4e00\u5728\u5317\u4eac\u53d1\u5e03",
        "\uc0bc\uc131\uc804\uc790 Galaxy \uc2e0\uc81c\ud488\uc744 \uc11c\uc6b8\uc5d0\uc11c \uacf5\uac1c\ud588\ub2e4",
        "the meeting about the bridge is moved to friday",
        # What is announced, and code.
        'The mayor said to the council of Kent:\n"We will build the bridge next year."',
        "The kit has these parts:\na) two engines of steel from Kent\nb) four wheels of rubber from Dover",
        "Run this command to start the server:\n\n```\ngistmill up --workers 2 --port 80\n```",
        "```\ngistmill up --workers 2 --port 80\n```\n\nIt opens in May next year.",
    ],
)
def test_a_true_copy_stays_as_it_is(text: str) -> None:
    further = "Hospital closes two wards because of a lack of nurses\nbob will bring the slides of the budget"
    prose = "The council met on Monday and talked about the bridge. It opens in May next year."
    source = SourceText(f"{text}\n{further}\n\n{prose}", None)

    grounded = ground_answer(text, source, mode="strict")

    assert grounded.text == text
    assert grounded.replaced == 0


def test_no_pause_makes_one_sentence_of_a_text_without_capitals() -> None:
    said = "the mayor of the town was praised for the new school... the old baker was arrested for theft... we left"

    grounded = ground_answer("the mayor of the town was arrested for theft", SourceText(said, None), mode="strict")

    assert grounded.replaced == 1
