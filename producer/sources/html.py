"""Conversion of HTML pages and fragments to Markdown that keeps every visible word.

Headings become ``#`` to ``######``, code blocks are fenced, tables stay tables. Invisible parts (scripts, styles,
hidden elements), navigation and link targets are left out; formulas are written once.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from producer.sources.html_formulas import rewrite_formulas, rewrite_ruby
from producer.sources.html_visibility import HIDING_SIGNS, drop_hidden
from producer.sources.source import Content
from producer.sources.text import clean_label, find_title, normalize_text
from producer.sources.titles import is_placeholder
from producer.sources.xhtml import is_xhtml, rewrite_xhtml

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

DROPPED_TAGS = frozenset(
    {"script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "title", "noframes"}
    # What a browser shows where it cannot play or draw, and lists to choose from.
    | {"audio", "video", "canvas", "select", "datalist"}
)
# Tags of blocks that the converter takes for parts of a line.
BLOCK_TAGS = (
    *(
        "address",
        "aside",
        "button",
        "center",
        "details",
        "dialog",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
    ),
    *("header", "hgroup", "label", "legend", "main", "marquee", "optgroup", "option", "search", "summary"),
)
# Old names of tags that the converter knows by others.
RENAMED_TAGS = {"dir": "ul", "menu": "ul", "listing": "pre", "xmp": "pre"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Tags of a layout table that are renamed to div, so that its headings, paragraphs and tables survive.
TABLE_TAGS = ("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th")
# Classes of links to a heading itself, and of links to edit its section.
PERMALINK_CLASSES = frozenset({"headerlink", "permalink", "anchorjs-link", "heading-anchor", "mw-editsection"})
# Texts of such links.
PERMALINK_MARKS = frozenset({"", "#", "¶", "§", "🔗", "⚓", "∞", "link", "permalink", "anchor", "[edit]"})
# Signs of HTML, as opposed to prose or Markdown with a few tags: a block tag at the start, and closed blocks.
LEADING_TAG = re.compile(
    r"\s*<(!doctype|html|head|body|main|article|section|div|p|h[1-6]|ul|ol|dl|table|pre|blockquote|span|b|strong)\b",
    re.I,
)
CLOSING_BLOCK = re.compile(r"</(html|div|p|h[1-6]|ul|ol|li|table|td|section|article|pre)\s*>", re.I)
MARKDOWN_LINE = re.compile(r"^(#{1,6} \S|```)", re.M)
# Closed blocks that make a fragment HTML if it has no leading tag.
MIN_CLOSED_BLOCKS = 3
# Characters of the number of a page.
MAX_PAGE_NUMBER = 8
BLANK_LINES = re.compile(r"\n{3,}")
SPACES = re.compile(r"[\xa0\u200b]")
# Levels of nesting that are converted. Real pages stay below 40; the converter recurses, and Python allows it some
# hundreds.
MAX_DEPTH = 100


def normalize_html(html: str) -> Content:
    """Return an HTML page or fragment as Markdown content.

    Raises:
        UnreadableError: the text holds NUL or broken Unicode characters.
    """
    html = normalize_text(html)
    soup = _parse(rewrite_xhtml(html) if is_xhtml(html) else html)
    title = clean_label(soup.title.get_text()) if soup.title else ""
    metadata = _read_metadata(soup)
    # Each search goes through the whole page, so that one for what is nowhere in its markup is left out.
    markup = html.lower()
    if "<math" in markup or "math/" in markup:
        rewrite_formulas(soup)
    if "<ruby" in markup:
        rewrite_ruby(soup)
    if "noteref" in markup or "pagebreak" in markup:
        _mark_notes(soup)
    _drop_unwanted(soup)
    notes = drop_hidden(soup) if any(sign in markup for sign in HIDING_SIGNS) else ()
    _drop_permalinks(soup, markup)
    if "<aside" in markup:
        _demote_headings(soup)
    _flatten_depths(soup)
    _unwrap_layout_tables(soup)
    for tag in soup.find_all((*BLOCK_TAGS, *RENAMED_TAGS)):
        tag.name = RENAMED_TAGS.get(tag.name, "div")
    # Entities may stand for what the text before the parser did not show: soft hyphens, ligatures.
    text = normalize_text(_convert(soup))
    title = find_title(text) if is_placeholder(title) else title
    return Content(text, "markdown", title, metadata, notes)


def is_html(text: str) -> bool:
    """Return True for a page or fragment of HTML, False for prose or Markdown that holds a few tags."""
    closed = len(CLOSING_BLOCK.findall(text))
    needed = 1 if LEADING_TAG.match(text) else MIN_CLOSED_BLOCKS
    return closed >= needed and closed > len(MARKDOWN_LINE.findall(text))


def _parse(html: str) -> BeautifulSoup:
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        # Cells that are only a URL, and EPUB chapters in XHTML, are both valid input.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(html, "lxml")


def _read_metadata(soup: BeautifulSoup) -> dict[str, str]:
    metas = {str(meta.get("name", "")).lower(): str(meta.get("content", "")) for meta in soup.find_all("meta")}
    known = ("author", "description", "date")
    return {name: clean_label(metas[name]) for name in known if metas.get(name)}


def _drop_unwanted(soup: BeautifulSoup) -> None:
    for template in soup.find_all("template", shadowrootmode=True):
        # The content of a component, which browsers show.
        template.name = "div"
    for tag in soup.find_all(DROPPED_TAGS):
        if not tag.decomposed:
            tag.decompose()


def _mark_notes(soup: BeautifulSoup) -> None:
    """Set the marks of notes in a book apart from the words before them, and remove the numbers of printed pages."""
    for tag in soup.find_all(True):
        roles = {*str(tag.get("epub:type", "")).split(), *str(tag.get("role", "")).split()}
        if roles & {"noteref", "doc-noteref"} and tag.name == "a":
            mark = tag.get_text(strip=True).strip("[]()")
            (tag.parent if tag.parent and tag.parent.name == "sup" else tag).replace_with(f"[{mark}]")
        elif roles & {"pagebreak", "doc-pagebreak"} and len(tag.get_text(strip=True)) <= MAX_PAGE_NUMBER:
            tag.decompose()


def _drop_permalinks(soup: BeautifulSoup, markup: str) -> None:
    """Remove marks that link a heading to itself, and headings without a text."""
    from bs4 import Tag

    if any(name in markup for name in PERMALINK_CLASSES):
        for tag in soup.find_all(class_=PERMALINK_CLASSES):
            if not tag.decomposed:
                tag.decompose()
    for heading in soup.find_all((*HEADINGS, "dt")):
        for link in [tag for tag in heading.descendants if isinstance(tag, Tag) and tag.name == "a"]:
            if "#" in str(link.get("href", "")) and link.get_text(strip=True).lower() in PERMALINK_MARKS:
                link.decompose()
        if heading.name != "dt" and not heading.get_text(strip=True):
            heading.unwrap()


def _demote_headings(soup: BeautifulSoup) -> None:
    """Write the headings of asides in bold, because what follows an aside does not stand below them."""
    for heading in soup.select(", ".join(f"aside {name}" for name in HEADINGS)):
        bold = soup.new_tag("b")
        bold.extend(list(heading.contents))
        heading.append(bold)
        heading.name = "p"


def _flatten_depths(soup: BeautifulSoup) -> None:
    """Replace elements below ``MAX_DEPTH`` by their text, because the converter recurses."""
    from bs4 import Tag

    level: list[Tag] = [soup]
    for _ in range(MAX_DEPTH):
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]
    for tag in level:
        tag.string = tag.get_text(" ")


def _unwrap_layout_tables(soup: BeautifulSoup) -> None:
    for inner in soup.find_all((*HEADINGS, "table")):
        for table in inner.find_parents("table"):
            for part in [part for part in table.find_all(TABLE_TAGS) if part.find_parent("table") is table]:
                part.name = "div"
            table.name = "div"


def _convert(soup: BeautifulSoup) -> str:
    from producer.sources.markdown_converter import SummaryMarkdownConverter

    markdown = SummaryMarkdownConverter().convert_soup(soup)
    return BLANK_LINES.sub("\n\n", SPACES.sub(" ", markdown)).strip()
