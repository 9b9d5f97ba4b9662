from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.unit.workers.summarization.texts import documents
from workers.summarization.structure import (
    EDGE,
    GAP,
    GLUE,
    HEADS,
    ROW,
    UNMASK,
    is_blank,
    read_structure,
    strip_headings,
)

FOREIGN = (ROW, EDGE, GAP, GLUE, *HEADS)


@given(text=documents)
def test_a_masked_text_is_as_long_as_its_text_and_differs_in_white_space_only(text: str) -> None:
    masked = read_structure(text, "markdown").masked
    assert len(masked) == len(text)
    for before, after in zip(text, masked.translate(UNMASK), strict=True):
        assert before == after or before in FOREIGN


def test_headings_know_their_level_title_and_path() -> None:
    text = "# A\nwords\n   ### C ###\n## B #1\n#\n####### none\n#none\n    # none\n"
    assert [(heading.level, heading.title, heading.path) for heading in read_structure(text, "markdown").headings] == [
        (1, "A", ("A",)),
        (3, "C", ("A", "C")),
        (2, "B #1", ("A", "B #1")),
        (1, "", ()),
    ]


def test_the_path_at_an_offset_is_that_of_the_heading_before_it() -> None:
    text = "intro\n# A\nwords\n## B\nmore"
    structure = read_structure(text, "markdown")
    paths = [structure.path_at(text.index(word)) for word in ("intro", "words", "more")]
    assert paths == [(), ("A",), ("A", "B")]


def test_leading_headings_end_at_the_first_other_word() -> None:
    text = "# A\n\n## B\nwords\n## C\n"
    structure = read_structure(text, "markdown")
    assert [heading.title for heading in structure.leading_headings(0, len(text))] == ["A", "B"]


def test_no_line_end_below_a_heading_is_left_to_cut_at() -> None:
    masked = read_structure("# A\n\n\nwords", "markdown").masked
    assert masked == f"# A{GLUE * 3}words"


def test_a_longer_fence_holds_a_shorter_one() -> None:
    text = "````md\n```\n# no heading\n```\n````\n# A heading"
    assert [heading.title for heading in read_structure(text, "markdown").headings] == ["A heading"]


def test_a_text_full_of_stray_fences_is_read_in_no_time() -> None:
    text = "```python\nwords\n" * 20_000 + "# End"
    assert not read_structure(text, "markdown").headings
    assert read_structure(text, "text").masked == text


def test_underlined_lines_are_headings() -> None:
    text = "Harbour\n guide\n===\n\nwords\n\nPier\n-\nmore\n---\n"
    structure = read_structure(text, "markdown")
    assert [(heading.level, heading.path, text[heading.start : heading.end]) for heading in structure.headings] == [
        (1, ("Harbour guide",), "Harbour\n guide\n==="),
        (2, ("Harbour guide", "Pier"), "Pier\n-"),
        (2, ("Harbour guide", "more"), "more\n---"),
    ]


LINES = [
    *(
        "word one",
        "more words here",
        "# H",
        "## Two ##",
        "===",
        "---",
        "```",
        "~~~",
        "- item",
        "* x",
        "1. one",
        "> # q",
    ),
    *(
        "    code",
        "  cont",
        "| a | b |",
        "|---|---|",
        "a | b",
        "<!-- c",
        "-->",
        "<div>",
        "",
        "",
        "",
        "(paren)",
        "\tTab",
    ),
    *("- ```", "  ```", "[x]: y", "<b>", "text <b> x", "- - -", "   ===", "---|---"),
]


@given(text=st.lists(st.sampled_from(LINES), max_size=14).map("\n".join))
def test_headings_are_those_that_a_parser_finds_in_the_whole_text(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    expected = [
        (int(token.tag[1]), " ".join(content.content.split()), text.split("\n")[token.map[0]].strip(" "))
        for token, content in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]
    found = read_structure(text, "markdown").headings
    assert [(one.level, one.title, text[one.start : one.end].split("\n")[0].rstrip(" ")) for one in found] == expected


def test_a_paragraph_before_a_rule_is_no_heading() -> None:
    assert not read_structure(f"{'Many words. ' * 20}\n---\n", "markdown").headings


@pytest.mark.parametrize(
    "text",
    [
        "<!--\n# draft\n\n## more\n-->",
        "```sh\n# never closed\n\n# still",
        "~~~\n# code\n```\n# code\n~~~",
        "- item\n\n  ```\n  # code\n  ```",
        "> ```\n> # code\n> ```",
        "    # indented",
        "> # quoted",
        "<div>\n# html\n</div>",
        "| a |\n|---|\n| # b |",
    ],
)
def test_nothing_in_code_comments_lists_and_quotations_is_a_heading(text: str) -> None:
    structure = read_structure(f"# One\n\n{text}", "markdown")
    assert [heading.title for heading in structure.headings] == ["One"]


def test_leading_headings_are_stripped_only_if_they_are_among_the_titles() -> None:
    body = "# A\n\n## B ##\nwords\n# A\n"
    assert strip_headings(body, ("A", "B")) == "words\n# A\n"
    assert strip_headings(body, ("B",)) == body


def test_underlined_headings_are_stripped() -> None:
    body = "A\n===\n\nB c\n---\n\nwords\n---\n"
    assert strip_headings(body, ("A", "B c")) == "words\n---\n"
    assert strip_headings("A\nwords\n", ("A",)) == "A\nwords\n"


def test_blank_means_white_space_masked_or_not() -> None:
    assert is_blank(f" \n{GLUE}\t")
    assert not is_blank("x")
