"""The document of a digest holds each summary under its title, and knows the place of every sentence."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from producer.composition import PartSummary, clean_sentence, compose, group_summaries


def make_summary(title: str, *sentences: str, group: str = "", job: UUID | None = None) -> PartSummary:
    return PartSummary(job or uuid4(), title, group, dict(enumerate(sentences)))


def test_each_summary_is_a_section_with_the_places_of_its_sentences() -> None:
    first, second = uuid4(), uuid4()

    composed = compose(
        [make_summary("A", "One is here.", "Two", "Three.", job=first), make_summary("B", "Four.", job=second)]
    )

    assert composed.text == "## A\n\nOne is here. Two\n\nThree.\n\n## B\n\nFour."
    assert [part["job_id"] for part in composed.parts] == [first, second]
    texts = [[(composed.text[start:end], index) for start, end, index in part["sentences"]] for part in composed.parts]
    assert texts == [[("One is here.", 0), ("Two", 1), ("Three.", 2)], [("Four.", 0)]]
    assert composed.text[composed.parts[1]["start_at"] : composed.parts[1]["end_at"]] == "## B\n\nFour."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("“Divers will look.”", "Divers will look."),
        ("He said “no” to them.", "He said “no” to them."),
        ("## A heading\nin two lines", "A heading in two lines"),
        ("``` not a fence", "not a fence"),
        ("- an item", "an item"),
        ("-40 degrees", "-40 degrees"),
        ("#1 of 3", "#1 of 3"),
    ],
)
def test_a_sentence_opens_no_block_and_keeps_no_marks_of_a_quotation(text: str, kept: str) -> None:
    assert clean_sentence(text) == kept


def test_a_title_stays_one_line() -> None:
    assert compose([make_summary("A\n# B", "One.")]).text == "## A # B\n\nOne."


def test_summaries_are_grouped_in_the_order_of_their_first() -> None:
    summaries = [make_summary(title, "One.", group=group) for title, group in (("a", "x"), ("b", ""), ("c", "x"))]

    grouped = group_summaries(summaries)

    assert {group: [one.title for one in members] for group, members in grouped.items()} == {"x": ["a", "c"], "": ["b"]}
