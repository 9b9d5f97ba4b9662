from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from tests.unit.workers.summarization.texts import LANGUAGES, documents
from workers.evaluation.lexical import read_words
from workers.summarization.extraction import default_length, extract, rank_sentences
from workers.summarization.quotation import is_own_summary, quote_spans, quote_whole

# Topic sentences about one thing, and asides about others.
STORY = (
    "The harbour council approved a new tidal barrier for the old harbour on Monday. "
    "It had talked about it for years. "
    "The tidal barrier will protect the harbour and the old town from floods. "
    "A baker on the square sold forty rolls before noon. "
    "Engineers expect the barrier for the harbour to cost nine million pounds. "
    "But nobody asked the seagulls. "
    "The tidal barrier will protect the harbour and the whole old town from floods. "
    "Somebody painted a fence green last week in another street."
)


def quote(text: str, words: int | None = None) -> list[str]:
    return [text[start:end] for start, end in extract(text, words=words)]


def test_the_sentences_that_resemble_most_others_are_taken_in_the_order_of_the_text() -> None:
    assert quote(STORY, 40) == [
        "The harbour council approved a new tidal barrier for the old harbour on Monday.",
        "The tidal barrier will protect the harbour and the old town from floods.",
        "Engineers expect the barrier for the harbour to cost nine million pounds.",
    ]


def test_a_sentence_is_not_quoted_twice_in_other_words() -> None:
    assert sum("protect the harbour" in sentence for sentence in quote(STORY, 200)) == 1


def test_a_sentence_that_leans_on_the_one_before_it_ranks_behind_one_that_stands_alone() -> None:
    leaning = "However, the old mill in the village of Kent grinds barley for bread."
    alone = "Ruth Miller has an old mill in the village of Kent for grinding barley into flour and bread."
    assert quote(f"{leaning} {alone}", 5) == [alone]


@pytest.mark.parametrize(
    "sentence",
    [
        '"Leave the old bridge now!" she told the guests of the town.',
        '"The old bridge is closed." they wrote to the town.',
        "\u00ab Fermez le vieux pont ! \u00bb dit-elle au maire de la ville.",
        "Run `gistmill submit \u2026 --keep-days 3` in the town.",
        "The old bridge opened... and closed again in May.",
    ],
)
def test_what_goes_on_in_lower_case_is_quoted_whole(sentence: str) -> None:
    assert quote(sentence) == [sentence]


def test_a_text_without_capitals_is_not_taken_for_one_sentence() -> None:
    text = "the bridge is closed all this week... the ferry of dover runs every hour... the mayor was praised by all."
    assert len(quote(text, 90)) == 3


def test_thanks_to_a_cause_is_no_thanks() -> None:
    cause = "Thanks to the new measles vaccine, deaths of children in Kenya fell by ninety percent last year."
    other = "Nurses in Kenya gave the measles vaccine to children in every village."
    assert quote(f"{cause} {other}", 16) == [cause]


@pytest.mark.parametrize(
    "opening",
    ["Everyone, thank you for", "Congratulations to all who saw", "As on all other days, I would like to thank"],
)
def test_thanks_rank_behind_what_a_text_says(opening: str) -> None:
    thanks = f"{opening} the old mill and its bread."
    alone = "Ruth Miller has an old mill in the village of Kent for grinding barley into flour and bread."
    assert quote(f"{thanks} {alone}", 5) == [alone]


@pytest.mark.parametrize("opening", ["See the", "For more information visit", "Please refer to the", "Which is why"])
def test_what_points_elsewhere_ranks_behind_what_a_text_says(opening: str) -> None:
    pointer = f"{opening} old mill and its bread."
    alone = "Ruth Miller has an old mill in the village of Kent for grinding barley into flour and bread."
    assert quote(f"{pointer} {alone}", 5) == [alone]


@pytest.mark.parametrize("opening", ["For more than forty years", "Visit numbers show that", "See-through doors of"])
def test_an_opening_that_points_nowhere_does_not_rank_a_sentence_lower(opening: str) -> None:
    lead = f"{opening} the old mill of Ruth Miller in the village of Kent made flour and bread from barley."
    assert quote(f"{lead} Ruth Miller sold bread in Kent.", 16) == [lead]


def test_a_sentence_may_begin_with_a_name_in_lower_case_or_below_a_heading() -> None:
    text = (
        "# pgmill\n\npgmill copies the tables of a server. It was written for teams of three. "
        "Two of them live in Kent.\n\n"
        "and this line goes on behind a table. macOS users need a newer version of it. Others need none at all."
    )
    assert quote(text, 200) == [
        "pgmill copies the tables of a server.",
        "It was written for teams of three.",
        "Two of them live in Kent.",
        "macOS users need a newer version of it.",
        "Others need none at all.",
    ]


def test_what_is_no_prose_is_not_quoted() -> None:
    text = """# The barrier will protect the harbour.

Figure 1: The barrier will protect the harbour from the east.

```python
barrier = "The barrier will protect the harbour."
print("The barrier will protect the harbour.")
```

| The barrier will protect the harbour. | yes |
|---|---|
| The barrier will protect the harbour. | no |

- [The barrier will protect the harbour](https://example.com/barrier)
- [Another text about the barrier of the harbour](https://example.com/other)

The barrier will protect the harbour from high
water, which rises every year by some millimetres.

Subscribe to our newsletter about the barrier of the harbour.
"""
    assert quote(text) == [
        "The barrier will protect the harbour from high\nwater, which rises every year by some millimetres."
    ]


def test_a_text_without_whole_sentences_is_quoted_by_its_lines() -> None:
    assert quote("- barley\n- oats\n\n- rye\n") == ["- barley", "- oats", "- rye"]


def test_a_text_without_capitals_still_has_sentences() -> None:
    assert quote("the mill was sold to a baker in kent. the farm was sold to a smith in york.", 20) == [
        "the mill was sold to a baker in kent.",
        "the farm was sold to a smith in york.",
    ]


def test_sentences_of_chinese_are_found_without_spaces() -> None:
    first, second = "东京是日本的首都和最大的城市。", "日本政府在东京工作已经很多年了。"
    assert quote(first + second) == [first, second]


@pytest.mark.parametrize(("document", "words"), [(0, 60), (999, 60), (1000, 80), (5500, 160), (10**6, 200)])
def test_the_extract_of_a_longer_document_is_longer_up_to_a_limit(document: int, words: int) -> None:
    assert default_length(document) == words


@given(documents)
def test_spans_are_in_order_apart_and_not_blank_for_any_text(text: str) -> None:
    spans = extract(text)
    assert bool(spans) == any(map(str.isalnum, text))
    assert all(text[start:end].strip() for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_ranks_are_shares_and_a_sentence_like_no_other_has_the_least() -> None:
    ranks = rank_sentences([read_words(text) for text in ("red barn door", "red barn roof", "quiet lake")])
    assert sum(ranks) == pytest.approx(1)
    assert ranks[2] < ranks[0] == pytest.approx(ranks[1])


def test_a_quoted_item_of_a_list_ends_its_line() -> None:
    quotation = quote_spans("- The bridge is\nold\n- Cables rust. Paint peels.", [(2, 19), (22, 34), (35, 47)])
    assert quotation.text == "The bridge is old\nCables rust. Paint peels."


def test_quoted_sentences_know_their_places_in_the_output_and_in_the_document() -> None:
    document = "First one\nhere. Skipped. Last one."
    quotation = quote_spans(document, [(0, 15), (25, 34)])
    assert quotation.text == "First one here. Last one."
    assert [quotation.text[one.start : one.end] for one in quotation.sentences] == ["First one here.", "Last one."]
    assert [document[slice(*one.span)] for one in quotation.sentences] == ["First one\nhere.", "Last one."]


@pytest.mark.parametrize(
    ("options", "is_short"),
    [
        ({}, True),
        ({"tokens": 80}, True),
        ({"tokens": 81}, False),
        ({"max_new_tokens": 9}, False),
        ({"style": "news"}, True),
        ({"style": "eli5"}, False),
        ({"style": "custom"}, False),
        ({"language": "German"}, False),
        ({"language": "English"}, True),
        ({"language": "Klingon"}, False),
        ({"words": 20}, True),
        ({"text": "One word. " * 20, "words": 20}, False),
    ],
)
def test_a_text_as_short_as_a_summary_of_its_kind_is_its_own(options: dict[str, Any], is_short: bool) -> None:
    given = {"text": LANGUAGES["english"], "tokens": 10, "max_new_tokens": 100, "style": "technical", **options}
    assert is_own_summary(given.pop("text"), **given) == is_short


def test_a_part_that_is_quoted_whole_keeps_its_line_breaks() -> None:
    document = "Before. ## Part\n\nOne. Two."
    quotation = quote_whole(document[8:], offset=8)
    assert quotation.text == document[8:]
    assert [document[slice(*one.span)] for one in quotation.sentences] == ["## Part", "One.", "Two."]
    assert quotation.sentences[1].describe() == {
        "start": 9,
        "end": 13,
        "kind": "quoted",
        "score": None,
        "reason": None,
        "spans": [[17, 21]],
    }
