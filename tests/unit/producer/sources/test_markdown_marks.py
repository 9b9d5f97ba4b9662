from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.markdown_marks import drop_marks


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("The **MIT** team wrote *this*, __that__ and _more_.", "The MIT team wrote this, that and more."),
        ("# **Title** of [it](http://x.y)", "# Title of it"),
        ("*Title*\n=====\nText", "Title\n=====\nText"),
        ("See the [user\nguide](http://x.y/z_a \"T\") and <https://a.b>.", "See the user\nguide and https://a.b."),
        ("[The guide][g], [g] and [this](file:///g).\n\n[g]: http://x.y\n", "The guide, g and this.\n\n"),
        ("![A pump](p.png) [![Build](b.svg)](http://b) Next", "A pump  Next"),
        ("- item **one**\n  goes _on_\n- [two](b)", "- item one\n  goes on\n- two"),
        ("> quoted **bold**\n> and [x](y)", "> quoted bold\n> and x"),
        ("| **a** | a | [a](c) |\n|---|---|---|\n| [n](u) | n | *n* |", "| a | a | a |\n|---|---|---|\n| n | n | n |"),
        ("Press <kbd>Ctrl</kbd><br>twice &amp; wait, a\\_b", "Press Ctrl twice & wait, a_b"),
    ],
)  # fmt: skip
def test_inline_marks_give_way_to_their_words(markdown: str, plain: str) -> None:
    assert drop_marks(markdown) == plain


@pytest.mark.parametrize(
    "markdown",
    [
        "**Ensemble**\n\nFive models.",
        "Run `a * b` and ``**c**``, 2*3*4, snake_case_name and List<String>.",
        "The loss is $x_{i} * y_{i}$, which is **small**.",
        "```\n**code** [a](b)\n```\n\n    [indented](code)",
        "`` `tick` `` and **bold",
        "\\*kept\\* and &lt;b&gt; and ~~struck~~",
        "Known[^1] and [unknown][u].\n\n[^1]: The footnote is kept.",
        "[" * 600 + "**a**",
    ],
    ids=["title", "code", "formula", "blocks", "ticks", "escapes", "footnote", "brackets"],
)
def test_what_is_no_mark_of_a_sentence_stays(markdown: str) -> None:
    assert drop_marks(markdown) == markdown


def test_a_definition_among_words_leaves_the_lines_beside_it() -> None:
    assert drop_marks("> One [x].\n>\n> [x]: http://x.y\n> Two.") == "> One x.\n>\n> Two."


@given(st.lists(st.sampled_from([*"ab1 *_[]()!<>`\\|#->&;$\n", "\n\n", "](", "**", "&amp;", "|-|-|\n"]), max_size=60))
def test_lines_stay_and_nothing_is_invented(pieces: list[str]) -> None:
    markdown = "".join(pieces)
    plain = drop_marks(markdown)
    assert plain.count("\n") == markdown.count("\n")
    letters = iter(markdown)
    assert all(letter in letters for letter in plain if letter.isalnum())
