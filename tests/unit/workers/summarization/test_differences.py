"""What two sections say of the same with another number or name is quoted from both; nothing else is."""

from __future__ import annotations

import pytest

from workers.summarization.differences import (
    MAX_DIFFERENCES,
    MAX_VERSIONS,
    find_differences,
    note_unquoted,
    quote_differences,
)

BERG = "Captain Berg saved 40 passengers before the storm."


def make_digest(**sections: str) -> str:
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())


def quote(text: str) -> list[str]:
    return quote_differences(find_differences(text)).text.splitlines()


def test_another_number_is_quoted_from_both_sections_by_name() -> None:
    text = make_digest(
        ferry=f"The ferry sank. {BERG}", news="Captain Berg saved 70 passengers before the storm. So it is."
    )

    answer = quote_differences(find_differences(text))

    assert answer.text == (
        "ferry says “Captain Berg saved 40 passengers before the storm.”; "
        "news says “Captain Berg saved 70 passengers before the storm.”"
    )
    [sentence] = answer.sentences
    assert (sentence.start, sentence.end, sentence.kind) == (0, len(answer.text), "quoted")
    assert [text[start:end] for start, end in sentence.spans] == [BERG, BERG.replace("40", "70")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The city of Ingrid Berg won the final match.", "The city of Olaf Hansen won the final match."),
        ("Arsenal won the final match by 2-1.", "Arsenal won the final match by 3-0."),
    ],
)
def test_another_name_of_two_words_and_another_score_are_quoted_too(one: str, other: str) -> None:
    assert quote(make_digest(one=one, two=other)) == [f"one says “{one}”; two says “{other}”"]


@pytest.mark.parametrize(
    "other",
    [
        BERG,
        # Other words beside the number.
        "Captain Berg rescued 70 travellers in the night.",
        # More said, nothing against it.
        "In 1994 Captain Berg saved 40 passengers before the storm.",
        "Captain Berg saved passengers before the storm.",
        # It says both.
        f"{BERG} Captain Berg saved 70 passengers before the storm.",
        # Another captain.
        "Captain Holm saved 70 passengers before the storm.",
        # Too few words to be about the same.
        "Berg 70.",
    ],
)
def test_what_does_not_differ_in_a_number_or_name_alone_is_not_quoted(other: str) -> None:
    assert find_differences(make_digest(ferry=BERG, news=other)) == []


def test_one_section_cannot_differ_from_itself() -> None:
    assert find_differences(make_digest(ferry=f"{BERG} Captain Berg saved 70 passengers before the storm.")) == []


def test_several_versions_stand_in_one_sentence_and_equal_ones_once() -> None:
    numbers = (40, 70, 40, 55)
    text = make_digest(**{f"s{place}": BERG.replace("40", str(number)) for place, number in enumerate(numbers)})

    [line] = quote(text)

    assert [f"s{place} says" in line for place in range(4)] == [True, True, False, True]


def test_what_is_not_quoted_is_counted() -> None:
    many = {f"s{place}": BERG.replace("40", str(place + 10)) for place in range(MAX_VERSIONS + 3)}
    towns = [f"The town number {chr(97 + place) * 3} has {{}} houses today." for place in range(MAX_DIFFERENCES + 2)]
    first, second = (" ".join(town.format(number) for town in towns) for number in (5, 6))

    assert note_unquoted(find_differences(make_digest(**many))) == (
        "3 more differences between the documents are not quoted"
    )
    found = find_differences(make_digest(one=first, two=second))
    assert len(found) == MAX_DIFFERENCES + 2
    assert len(quote_differences(found).sentences) == MAX_DIFFERENCES
    assert note_unquoted(found) == "2 more differences between the documents are not quoted"
    assert note_unquoted(found[:1]) is None
