from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.markdown_marks import drop_marks
from producer.sources.text import read_unknown_text


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("The **MIT** team wrote *this*, __that__ and _more_.", "The MIT team wrote this, that and more."),
        ("# **Title** of [it](http://x.y)", "# Title of it"),
        ("*Title*\n=====\nText", "Title\n=====\nText"),
        ("See the [user\nguide](http://x.y/z_a \"T\") and <https://a.b>.", "See the user\nguide and https://a.b."),
        ("[The guide][g], [g] and [this](file:///g).\n\n[g]: http://x.y\n", "The guide, g and this.\n\n"),
        ("![A *pump*](p.png) [![Build](b.svg)](http://b) Next", "A pump  Next"),
        ("[![Figure 1: the flow of water](s.png)](l.png)", "Figure 1: the flow of water"),
        ("- item **one**\n  goes _on_\n- [two](b.md)", "- item one\n  goes on\n- two"),
        ("> quoted **bold**\n> and [x](y.md)", "> quoted bold\n> and x"),
        ("A **break**  \nin *two* lines", "A break  \nin two lines"),
    ],
)  # fmt: skip
def test_inline_marks_give_way_to_their_words(markdown: str, plain: str) -> None:
    assert drop_marks(markdown) == plain


@pytest.mark.parametrize(
    "markdown",
    [
        "**Ensemble**\n\nFive models.",
        "Run `a * b` and ``**c**``, snake_case_name and List<String>.",
        "Take 2*3*4, x = a*b + c*d and **all**.",
        "The loss is $x_{i} * y_{i}$, which is **small**.",
        "```\n**code** [a](b)\n```\n\n    [indented](code)",
        "`` `tick` `` and **bold",
        "In *C:\\data\\.cache* and \\*kept\\* and &lt;b&gt; and ~~struck~~",
        "10<sup>8</sup> m, Vec<u>, if a <b and c> d",
        "Known[^1], [^2] and [unknown][u].\n\n[^1]: The footnote is kept.\n[^2]: https://x.y",
        "[Anna]: Hello!\n\n[Bob]: Yes.\n\n[12:01]: ok",
        "Section 5[a](i) applies to handlers[i](event).",
        "1. [docs]: http://u\n   Read the docs first.",
        "**# of accidents**: 12\n\n[#](#install) Install\n\n*- Albert Einstein*\n\nfoo\n*===*",
        "para\n![](x.png)\n    continued",
        "| **a** | [b](c.md) |\n|---|---|\n| *1* | 2 |",
        "[" * 600 + "**a**",
    ],
    ids=[
        *("title", "code", "product", "formula", "blocks", "ticks", "escapes", "tags", "footnotes", "speech", "index"),
        *("item", "structure", "gap", "table", "brackets"),
    ],
)
def test_what_may_be_no_mark_of_a_sentence_stays(markdown: str) -> None:
    assert drop_marks(markdown) == markdown


def test_marks_of_a_text_that_may_be_no_markdown_stay() -> None:
    script = "# A comment\ndef __init__(self, *args): return [*args](0)"
    assert read_unknown_text(script).text == script


def test_a_definition_among_words_leaves_the_lines_beside_it() -> None:
    assert drop_marks("> One [x].\n>\n> [x]: http://x.y\n> Two.") == "> One x.\n>\n> Two."


@given(st.lists(st.sampled_from([*"ab1 *_[]()!<>`\\|#->&;$\n", "\n\n", "](", "**", "&amp;", "|-|-|\n"]), max_size=60))
def test_lines_stay_and_no_word_comes_or_goes(pieces: list[str]) -> None:
    markdown = "".join(pieces)
    plain = drop_marks(markdown)
    assert plain.count("\n") == markdown.count("\n")
    read = [letter for letter in plain if letter.isalnum()]
    written = iter(letter for letter in markdown if letter.isalnum())
    assert all(letter in written for letter in read)
    # Only targets of links and pictures go, which stand in parentheses.
    assert "(" in markdown or not any(written)
