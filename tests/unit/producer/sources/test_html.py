"""HTML to Markdown: no heading and no visible word is lost."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from producer.sources import normalize_html, normalize_text
from producer.sources.html import is_html

WORD = re.compile(r"\w+")
HEADING = re.compile(r"^(#{1,6}) \S", re.M)
FENCED = re.compile(r"^(```+).*?^\1", re.M | re.S)


def read_writeups(shared_data: Path) -> list[str]:
    csv.field_size_limit(10_000_000)
    with (shared_data / "kaggle_winning_solutions_methods.csv").open(newline="", encoding="utf-8") as stream:
        return [row["writeup"] for row in csv.DictReader(stream)]


def test_no_word_and_no_heading_of_the_real_writeups_is_lost(shared_data: Path) -> None:
    for html in read_writeups(shared_data):
        page = BeautifulSoup(html, "html.parser")
        markdown = normalize_html(html).text
        assert not Counter(WORD.findall(page.get_text(" "))) - Counter(WORD.findall(markdown))
        levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
        assert [len(hashes) for hashes in HEADING.findall(FENCED.sub("", markdown))] == levels


def test_the_first_writeup_has_six_sections(shared_data: Path) -> None:
    markdown = normalize_html(read_writeups(shared_data)[0]).text
    assert len(re.findall(r"^## ", markdown, re.M)) == 6


def test_every_real_writeup_is_recognized_as_html(shared_data: Path) -> None:
    assert all(is_html(html) for html in read_writeups(shared_data))


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<h1>a</h1><h6>b</h6>", "# a\n\n###### b"),
        ("<p>2*3 snake_case # [x] 1. y</p>", "2*3 snake_case # [x] 1. y"),
        ('<p>See <a href="http://x.example">the docs</a>.</p>', "See the docs."),
        ("<p>10<sup>-3</sup> and H<sub>2</sub>O</p>", "10^-3 and H2O"),
        ("<p>a<br>b</p>", "a\nb"),
        ("<p>a\xa0b</p>", "a b"),
        ('<img src="x.png" alt="plot"><img src="y.png" alt="Loss over time">', "Loss over time"),
        ('<pre><code class="language-python">x = 1\n\ny</code></pre>', "```python\nx = 1\n\ny\n```"),
        ("<pre>```\ninner\n```</pre>", "````\n```\ninner\n```\n````"),
        ("<pre>  </pre><p>x</p>", "x"),
        ("<table><tr><th>a</th></tr><tr><td>1</td></tr></table>", "| a |\n| --- |\n| 1 |"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<h2></h2><p>x</p>", "x"),
    ],
)
def test_elements_become_their_markdown(html: str, markdown: str) -> None:
    assert normalize_html(html).text == markdown


@pytest.mark.parametrize(
    "html",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<nav>no</nav>",
        "<noscript>no</noscript>",
        "<!-- no -->",
        "<p hidden>no</p>",
        '<div style="color:red; display : none"><script>no</script>no</div>',
    ],
)
def test_what_no_reader_sees_is_dropped(html: str) -> None:
    assert normalize_html(f"{html}<p>yes</p>").text == "yes"


def test_a_page_keeps_its_title_and_author() -> None:
    page = '<html><head><title>A\n title</title><meta name="Author" content="A. Writer"></head><body><h1>B</h1></body>'
    content = normalize_html(page)
    assert (content.title, content.text, content.metadata) == ("A title", "# B", {"author": "A. Writer"})


def test_headings_in_a_layout_table_survive() -> None:
    html = "<table><tr><td>menu</td><td><h2>Head</h2><p>text</p></td></tr></table>"
    assert normalize_html(html).text == "menu\n\n## Head\n\ntext"


@pytest.mark.parametrize("depth", [99, 100, 101, 5000])
def test_deep_nesting_keeps_its_text(depth: int) -> None:
    html = "<div>" * depth + "deep <b>down</b>" + "</div>" * depth + "<p>tail</p>"
    assert WORD.findall(normalize_html(html).text) == ["deep", "down", "tail"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_in_a_paragraph_keeps_its_words(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    words = WORD.findall(normalize_html(f"<p>{escaped}</p>").text)
    assert Counter(words) == Counter(WORD.findall(normalize_text(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>a</p>", True),
        ("\n<!DOCTYPE html><html></html>", True),
        ("Intro<p>a</p><p>b</p><p>c</p>", True),
        ("Use the <p> tag and </p> to close it.", False),
        ("a < b and <0,1,2> and c > d", False),
        ('<p align="center">logo</p>\n\n# Readme\n\n## Install\n', False),
        ("<unknown>x</unknown>", False),
        ("", False),
    ],
)
def test_html_is_told_from_text_that_mentions_it(text: str, expected: bool) -> None:
    assert is_html(text) is expected


@pytest.mark.parametrize(
    "link",
    [
        '<a href="#shop">¶</a>',
        '<a class="headerlink" href="#shop" title="Link to this heading">Link</a>',
        '<a href="page.html#shop">#</a>',
        '<span class="mw-editsection"><a href="/edit">edit</a></span>',
        '<a href="#shop"></a>',
    ],
)
def test_a_mark_that_links_a_heading_to_itself_is_dropped(link: str) -> None:
    assert normalize_html(f"<h2>Shop {link}</h2><p>Open.</p>").text == "## Shop\n\nOpen."


def test_a_heading_that_is_a_link_stays() -> None:
    assert normalize_html('<h2><a href="#shop">The shop</a></h2>').text == "## The shop"


@pytest.mark.parametrize("title", ["Untitled Document", "index", "Loading...", "React App", "無題ドキュメント", " "])
def test_a_placeholder_is_no_title(title: str) -> None:
    assert normalize_html(f"<title>{title}</title><h1>Shop</h1><p>Open.</p>").title == "Shop"
    assert normalize_html("<title>Documents of the shop</title><h1>Shop</h1>").title == "Documents of the shop"


def test_xhtml_whose_elements_close_themselves_keeps_its_text() -> None:
    page = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/></head><body>'
    )
    assert normalize_html(f"{page}<p>Open.</p></body></html>").text == "Open."


def test_entities_are_normalized_as_other_characters_are() -> None:
    assert normalize_html("<p>E&shy;lec&shy;tric &#xFB01;nal</p>").text == "Electric final"


def test_a_table_in_a_table_keeps_its_rows() -> None:
    inner = "<table><tr><th>Item<th>Fee<tr><td>Berth<td>90</table>"
    text = normalize_html(f"<table><tr><td>Menu<td>{inner}</table>").text
    assert text == "Menu\n\n| Item | Fee |\n| --- | --- |\n| Berth | 90 |"


@pytest.mark.parametrize("tag", ["aside", "footer", "figcaption", "summary", "button", "address"])
def test_blocks_are_apart(tag: str) -> None:
    assert normalize_html(f"<{tag}>One.</{tag}><{tag}>Two.</{tag}>").text == "One.\n\nTwo."


@pytest.mark.parametrize("tag", ["video", "audio", "canvas", "select", "noframes"])
def test_what_stands_in_for_a_thing_that_cannot_be_shown_is_no_text(tag: str) -> None:
    assert normalize_html(f"<p>One.</p><{tag}>Your browser cannot show it.</{tag}>").text == "One."


def test_the_number_of_a_note_is_no_power() -> None:
    assert normalize_html("<p>It rained<sup>[4]</sup> 10<sup>3</sup> times.</p>").text == "It rained[4] 10^3 times."


# Elements that a browser shows as blocks.
BLOCKS = (
    *(
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
    ),
    *(
        "figure",
        "footer",
        "form",
        "h2",
        "header",
        "hgroup",
        "legend",
        "li",
        "listing",
        "main",
        "ol",
        "option",
        "p",
        "pre",
    ),
    *("search", "section", "summary", "ul", "xmp"),
)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_stands_on_lines_of_its_own(name: str) -> None:
    page = f"<body><div>a</div><{name}>FOOTER</{name}><{name}>ASIDE</{name}><main>beta</main></body>"
    words = [line.strip("-:#> `") for line in normalize_html(page).text.split("\n")]
    assert [word for word in words if word] == ["a", "FOOTER", "ASIDE", "beta"]


@pytest.mark.parametrize("name", ["menu", "dir"])
def test_lists_of_old_names_are_lists(name: str) -> None:
    assert normalize_html(f"<{name}><li>one</li><li>two</li></{name}>").text == "- one\n- two"


def test_elements_of_unknown_names_stay_within_the_line() -> None:
    assert normalize_html("<p>The <x-term>fer</x-term>ry <output>runs</output>.</p>").text == "The ferry runs."


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>The <b>old</b> mill <em>and <strong>its</strong> dam</em>.</p>", "The old mill and its dam."),
        ("<p><strong>Ensemble</strong></p><p>Five models.</p>", "**Ensemble**\n\nFive models."),
        ("<p>Rust: <b># of piers</b> is 3, <i>- of cables</i> 4.</p>", "Rust: **# of piers** is 3, *- of cables* 4."),
        ("<pre>a <b>#</b> c</pre>", "```\na # c\n```"),
    ],
)
def test_emphasis_gives_way_to_its_words(html: str, markdown: str) -> None:
    assert normalize_html(html).text == markdown


def test_a_heading_in_an_aside_of_an_aside_is_bold_once() -> None:
    assert normalize_html("<aside><aside><h3>Read</h3></aside><p>b</p></aside>").text == "**Read**\n\nb"


def test_what_follows_an_aside_does_not_stand_below_its_heading() -> None:
    html = "<h1>Museum</h1><p>It closes.</p><aside><h3>Most <i>read</i></h3><p>Ferries.</p></aside><p>It moves.</p>"
    assert normalize_html(html).text == "# Museum\n\nIt closes.\n\n**Most read**\n\nFerries.\n\nIt moves."
