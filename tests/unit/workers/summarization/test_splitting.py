from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.summarization.counters import CharacterCounter, CrossCounter, WordCounter
from tests.unit.workers.summarization.splits import find_uncovered, read_bodies, split
from tests.unit.workers.summarization.texts import documents
from workers.generation import TokenCounter
from workers.summarization.chunks import Splitter
from workers.summarization.errors import SplitError
from workers.summarization.structure import DocumentFormat

SPLITTERS: tuple[Splitter, ...] = ("auto", "headers", "character", "recursive", "tokens")
COUNTERS = (CharacterCounter(), WordCounter(), CrossCounter())


@given(
    text=documents,
    kind=st.sampled_from(["markdown", "text"]),
    splitter=st.sampled_from(SPLITTERS),
    tokens=st.integers(6, 200),
    overlap=st.integers(0, 100),
    separator=st.sampled_from([None, "\n", "#", ". ", "a"]),
    counter=st.sampled_from(COUNTERS),
)
def test_spans_cover_every_character_in_order_and_every_chunk_fits(
    text: str,
    kind: DocumentFormat,
    splitter: Splitter,
    tokens: int,
    overlap: int,
    separator: str | None,
    counter: TokenCounter,
) -> None:
    overlap = min(overlap, tokens // 2)
    found = split(
        text, tokens=tokens, overlap=overlap, splitter=splitter, kind=kind, separator=separator, counter=counter
    )
    assert find_uncovered(text, found.chunks) == []
    assert [chunk.index for chunk in found.chunks] == list(range(len(found.chunks)))
    ends = [(chunk.start, chunk.end) for chunk in found.chunks]
    assert ends == sorted(ends)
    for chunk in found.chunks:
        assert text[chunk.start : chunk.end].strip()
        assert chunk.tokens == counter.count_tokens(chunk.read_text(text)) <= tokens
    if overlap == 0:
        assert all(before.end <= after.start for before, after in zip(found.chunks, found.chunks[1:], strict=False))


def test_auto_splits_at_headings_where_there_are_sections() -> None:
    text = "# Title\n\n## One\n\nFirst words.\n\n### Deeper\n\nMore.\n\n## Two\n\nLast words."
    found = split(text, tokens=60)
    assert (found.splitter, [chunk.headings for chunk in found.chunks]) == (
        "headers",
        [("Title", "One"), ("Title", "Two")],
    )
    assert found.reason.startswith("2 sections under headings")


def test_auto_splits_a_text_without_headings_at_paragraphs_and_sentences() -> None:
    text = (
        "One sentence of a stream. Another sentence of it.\n\nA paragraph that is a little longer than the rest of it."
    )
    found = split(text, tokens=60)
    assert found.splitter == "recursive"
    assert read_bodies(text, found) == [
        "One sentence of a stream. Another sentence of it.",
        "A paragraph that is a little longer than the rest of it.",
    ]


def test_headings_are_ordinary_words_in_plain_text() -> None:
    found = split("# One\n\nFirst.\n\n# Two\n\nSecond.", kind="text")
    assert (found.splitter, len(found.chunks), found.chunks[0].headings) == ("recursive", 1, ())


def test_headers_without_headings_fall_back_to_paragraphs_and_say_so() -> None:
    found = split("Only words.", splitter="headers")
    assert (found.splitter, found.reason) == (
        "recursive",
        "no headings to split at: split at paragraphs and sentences instead",
    )


def test_small_neighbouring_sections_share_chunks_of_about_equal_size_with_their_headings_in_the_text() -> None:
    text = "\n\n".join(f"## Part {number}\n\n" + f"Words of part {number}. " * 8 for number in range(7))
    found = split(text, tokens=1000)
    assert len(text) > 1000
    assert [chunk.headings for chunk in found.chunks] == [("Part 0",), ("Part 3",)]
    assert find_uncovered(text, found.chunks) == []
    first, second = (chunk.read_text(text) for chunk in found.chunks)
    assert [f"## Part {number}\n" in first for number in range(7)] == [False, True, True, False, False, False, False]
    assert first.startswith("Part 0\nWords of part 0.")
    assert second.startswith("Part 3\nWords of part 3.")


def test_a_section_over_the_budget_shares_no_chunk() -> None:
    text = "## A\n\nShort.\n\n## B\n\n" + "Many words here. " * 20 + "\n\n## C\n\nShort."
    found = split(text, tokens=100)
    assert [chunk.headings for chunk in found.chunks][:2] == [("A",), ("B",)]
    assert [chunk.headings for chunk in found.chunks][-2:] == [("B",), ("C",)]


def test_the_shallowest_headings_make_the_sections_where_there_is_no_h1_or_h2() -> None:
    found = split("### One\n\nFirst.\n\n### Two\n\nSecond.\n\n#### Deeper\n\nThird.", tokens=35)
    assert [chunk.headings for chunk in found.chunks] == [("One",), ("Two",)]


def test_a_section_over_the_budget_is_split_further_and_every_part_keeps_its_path() -> None:
    text = "## Data\n\nA first sentence here. A second sentence here. A third sentence here.\n\n## End\n\nShort."
    found = split(text, tokens=40)
    assert [chunk.headings for chunk in found.chunks] == [("Data",), ("Data",), ("Data",), ("End",)]
    assert [chunk.read_text(text) for chunk in found.chunks][:2] == [
        "Data\nA first sentence here.",
        "Data\nA second sentence here.",
    ]


def test_a_long_section_is_cut_at_its_deeper_headings_first() -> None:
    text = (
        "## Top\n\n### Left\n\nSome words of the left side. And more.\n\n"
        "### Right\n\nThe right side. It ends here.\n\n## Next\n\nEnd."
    )
    found = split(text, tokens=80)
    assert [chunk.headings for chunk in found.chunks] == [("Top", "Left"), ("Top", "Right"), ("Next",)]


def test_a_heading_stays_with_the_words_below_it() -> None:
    text = "## Top\n\n" + "Filler words. " * 4 + "\n\n### Below\n\n" + "Body words of it. " * 6 + "\n\n## Z\n\nend"
    for tokens in range(30, 120):
        for body in read_bodies(text, split(text, tokens=tokens)):
            assert not body.splitlines()[-1].startswith("#")


def test_a_title_without_words_belongs_to_the_next_section() -> None:
    text = "# Title\n\n## One\n\nFirst.\n\n# Other\n\n## Two\n\nSecond.\n\n## Empty\n"
    found = split(text, tokens=40)
    assert [chunk.headings for chunk in found.chunks] == [("Title", "One"), ("Other", "Two")]
    assert found.chunks[-1].end == len(text.rstrip())


def test_words_before_the_first_heading_are_a_section() -> None:
    text = "By someone.\n\n# One\n\nFirst.\n\n# Two\n\nSecond."
    assert read_bodies(text, split(text, tokens=25))[0] == "By someone."


def test_hashes_inside_fenced_code_are_no_headings() -> None:
    text = "# One\n\n```python\n# a comment\nprint()\n\n# another\n```\n\nWords.\n\n# Two\n\nMore."
    assert [chunk.headings for chunk in split(text, tokens=70).chunks] == [("One",), ("Two",)]


def test_a_fence_that_is_never_closed_reaches_to_the_end() -> None:
    text = "# One\n\n```\nstray\n\n# Two\n\nMore."
    assert {chunk.headings for chunk in split(text, tokens=25).chunks} == {("One",)}


def test_sections_begin_at_underlined_headings() -> None:
    text = "One\n===\n\nFirst words.\n\nTwo\n---\n\nSecond words.\n\nSix\n---\n\nThird words."
    chunks = split(text, tokens=33).chunks
    assert [chunk.headings for chunk in chunks] == [("One",), ("One", "Two"), ("One", "Six")]
    assert [chunk.read_text(text) for chunk in chunks] == [
        "One\nFirst words.",
        "One\nTwo\nSecond words.",
        "One\nSix\nThird words.",
    ]


@pytest.mark.parametrize(
    "block",
    [
        "| a | b |\n| --- | --- |\n| 1 | 2. Two |\n| 3 | 4 |",
        "```python\ndef f():\n\n    return 1. \n\nprint(f())\n```",
    ],
    ids=["table", "fence"],
)
def test_tables_and_fences_stay_in_one_piece_where_they_fit(block: str) -> None:
    text = f"Some words before it. And a few more.\n{block}\nSome words after it. And still more words."
    for tokens in range(len(block) + 1, len(block) + 60):
        assert any(block in body for body in read_bodies(text, split(text, tokens=tokens)))


def test_a_table_over_the_budget_is_cut_between_its_rows() -> None:
    rows = [f"| row {number} | value. Of {number} |" for number in range(8)]
    text = "\n".join(rows)
    bodies = read_bodies(text, split(text, tokens=70))
    assert [line for body in bodies for line in body.splitlines()] == rows


def test_sentences_are_not_torn_where_they_fit() -> None:
    text = "The score was 0.898 on fold 1, e.g. on the left. It rose! \u201cWhy?\u201d They asked that. " * 10
    for body in read_bodies(text, split(text, tokens=90)):
        assert body[-1] in ".!\u201d"
        assert body[0] in "TI\u201c"


def test_chinese_sentences_are_cut_at_their_full_stops() -> None:
    text = "\u6a21\u578b\u5f88\u597d\u3002" * 20
    assert all(body.endswith("\u3002") for body in read_bodies(text, split(text, tokens=32)))


def test_a_list_is_cut_between_its_items() -> None:
    text = "\n".join(f"- item {number} goes on without an end and\n  has a second line" for number in range(6))
    assert all(body.startswith("- item") for body in read_bodies(text, split(text, tokens=130)))


def test_chunks_of_a_long_text_are_about_equal_instead_of_leaving_a_crumb() -> None:
    text = "Nine char " * 21
    sizes = [chunk.tokens for chunk in split(text.strip(), tokens=100).chunks]
    assert min(sizes) > 50


def test_the_token_splitter_fills_every_chunk_but_the_last() -> None:
    text = "word " * 100
    sizes = [chunk.tokens for chunk in split(text, tokens=101, splitter="tokens").chunks]
    assert sizes[:-1] == [99] * (len(sizes) - 1)


def test_the_character_splitter_cuts_at_the_separator_alone_where_it_can() -> None:
    text = "one and two;three.;four"
    assert read_bodies(text, split(text, tokens=12, splitter="character", separator=";")) == [
        "one and two;",
        "three.;four",
    ]


def test_a_separator_that_begins_something_goes_with_what_it_begins() -> None:
    text = "One is here. # Two. And more # Three"
    assert read_bodies(text, split(text, tokens=18, splitter="character", separator="#")) == [
        "One is here.",
        "# Two. And more",
        "# Three",
    ]


def test_an_overlap_begins_at_a_sentence_within_its_budget() -> None:
    text = "First sentence here. Second one. " + "Third sentence is the longest of all of them by far."
    found = split(text, tokens=80, overlap=20)
    assert read_bodies(text, found)[1].startswith("Second one. Third")
    assert found.chunks[1].start < found.chunks[0].end


def test_an_overlap_begins_neither_at_a_wrapped_line_nor_within_a_number() -> None:
    text = "First sentence of 9.5\nwords. Second one of 19.5 words. Third sentence, the longest of them by far. " * 2
    for tokens in (100, 108, 120, 140, 160):
        bodies = read_bodies(text, split(text, tokens=tokens, overlap=45))
        assert all(body.startswith(("First", "Second", "Third")) for body in bodies)
        assert any(before[-25:] in after for before, after in pairwise(bodies))


def test_a_chunk_that_begins_at_a_sentence_repeats_no_part_of_one() -> None:
    text = "First sentence of all. The second sentence is longer than what neighbours share. Third sentence."
    bodies = read_bodies(text, split(text, tokens=80, overlap=20))
    assert bodies == [
        "First sentence of all.",
        "The second sentence is longer than what neighbours share.",
        "Third sentence.",
    ]


def test_an_overlap_begins_at_a_word_where_no_sentence_does() -> None:
    text = "just one endless row of words without a stop that goes on and on until it ends"
    found = split(text, tokens=50, overlap=12)
    for before, after in zip(found.chunks, found.chunks[1:], strict=False):
        shared = text[after.start : before.end]
        assert 0 < len(shared) <= 12
        assert text[after.start - 1] == " "


def test_sections_do_not_overlap() -> None:
    text = "# One\n\nFirst sentence. Second sentence.\n\n# Two\n\nThird sentence. Fourth sentence."
    first, second = split(text, tokens=60, overlap=30).chunks
    assert first.end <= second.start


def test_headings_that_would_fill_the_chunk_are_left_out_from_the_outside() -> None:
    text = f"# {'Long title ' * 10}\n\n## Near\n\n{'Words of it. ' * 12}\n\n## Next\n\nEnd."
    headings = {chunk.headings for chunk in split(text, tokens=80).chunks}
    assert ("Near",) in headings
    assert all(len("".join(path)) <= 20 for path in headings)


def test_a_heading_longer_than_the_budget_is_split_like_any_text() -> None:
    text = "# " + "title " * 100 + "\n\nbody\n\n# Two\n\nEnd."
    found = split(text, tokens=50)
    assert find_uncovered(text, found.chunks) == []


@pytest.mark.parametrize(("tokens", "overlap"), [(0, 0), (10, -1), (10, 6)])
def test_sizes_that_contradict_each_other_are_refused(tokens: int, overlap: int) -> None:
    with pytest.raises(SplitError, match=f"chunks of {tokens} tokens with an overlap of {overlap}"):
        split("words", tokens=tokens, overlap=overlap)


def test_a_character_over_the_budget_is_named() -> None:
    class Tripling(CharacterCounter):
        def count_tokens(self, text: str) -> int:
            return 3 * len(text)

    with pytest.raises(SplitError, match="the character 'b' alone has over 2 tokens: use larger chunks"):
        split("b b", tokens=2, counter=Tripling())


def test_an_empty_document_has_no_chunks() -> None:
    assert split(" \n\t ").chunks == ()
