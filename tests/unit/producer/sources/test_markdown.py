"""Titles and code of Markdown are found as a CommonMark parser of the whole text finds them."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from producer.sources.markdown import find_only_heading, scan_fences

PARSER = MarkdownIt("commonmark").enable("table")
# Lines that open, close, continue or interrupt each other.
LINES = (
    "# One", "## Two", "=====", "---", "text", "  more", "", "- item", "1. item", "> quote", "> ```", "- <div>",
    "```", "```py", "````", "~~~", "  ```", "   ```", "    ```", "  # two", "    # four", "<!-- c -->",
    "<!--", "-->", "<!-->", "a <!-- b --> c", "- <!-- b -->", "  <!-- b -->", "<div>", "</div>", "<pre>",
    "</pre>", "<i id=a></i>", "| a | b |", "|---|---|",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


@given(TEXTS)
def test_the_only_heading_is_that_of_a_parser(text: str) -> None:
    tokens = PARSER.parse(text)
    headings = [
        "".join(part.content if part.type == "text" else " " for part in tokens[place + 1].children or ())
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h1" and token.level == 0
    ]
    expected = " ".join(headings[0].split()) if len(headings) == 1 else ""
    assert " ".join(find_only_heading(text).split()) == expected


@given(TEXTS)
def test_fences_found_without_a_parser_are_those_of_a_parser(text: str) -> None:
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    fences = {
        (starts[token.map[0]], min(starts[token.map[1]], len(text)))
        for token in PARSER.parse(text)
        if token.type == "fence" and token.map
    }
    assert fences.issuperset(scan_fences(text) or ())


def test_an_underlined_title_of_many_lines_is_whole() -> None:
    assert find_only_heading("One\ntwo\nthree <i>four</i>\n===\n\ntext\n") == "One two three four"


def test_code_in_lists_and_html_hides_no_heading() -> None:
    text = "# One\n\n<p align=center>\n<img src=a>\n</p>\n\n- item\n\n  ```sh\n  # code\n  ```\n\n```sh\n# code\n```\n"
    assert find_only_heading(text) == "One"
    assert len(scan_fences(text) or ()) == 2
