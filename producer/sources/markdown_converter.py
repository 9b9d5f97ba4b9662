"""Configuration of markdownify for summarizing; a separate module because it imports bs4."""

from __future__ import annotations

import re
from typing import TypedDict

from bs4 import Tag
from markdownify import ATX, MarkdownConverter
from markdownify import abstract_inline_conversion as make_conversion  # type: ignore[attr-defined]

BACKTICK_RUNS = re.compile(r"`{3,}")
BAR = re.compile(r"(?<!\\)\|")
# Columns that a cell may span.
MAX_SPAN = 1000
LANGUAGE_CLASS = re.compile(r"^lang(?:uage)?-([\w+#-]+)$")

_mark_emphasis = make_conversion(lambda _: "*")
_mark_bold = make_conversion(lambda _: "**")


class Options(TypedDict):
    """Options of markdownify that we set."""

    heading_style: str
    bullets: str
    escape_asterisks: bool
    escape_underscores: bool
    escape_misc: bool
    strip: list[str]


# Text stays verbatim: no escapes; links are reduced to their text, images to their description.
OPTIONS: Options = {
    "heading_style": ATX,
    "bullets": "-",
    "escape_asterisks": False,
    "escape_underscores": False,
    "escape_misc": False,
    "strip": ["a", "video"],
}


class SummaryMarkdownConverter(MarkdownConverter):
    """Converter of a parsed page; markdownify calls the ``convert_*`` methods by tag name."""

    def __init__(self) -> None:
        super().__init__(**OPTIONS)

    def convert_br(self, _el: Tag, _text: str, parent_tags: set[str]) -> str:
        """Break the line without markdownify's trailing spaces."""
        return " " if "_inline" in parent_tags else "\n"

    def convert_em(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Leave out the marks of emphasis, unless the text would be a heading, an item or a rule without them."""
        return text if text.lstrip()[:1].isalpha() else str(_mark_emphasis(self, el, text, parent_tags))

    def convert_b(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Leave out the marks of bold print likewise, but for a line in bold alone, which serves as a heading."""
        line = el.parent.get_text() if el.parent else ""
        is_plain = text.lstrip()[:1].isalpha() and line.strip() != el.get_text().strip()
        return text if is_plain else str(_mark_bold(self, el, text, parent_tags))

    convert_i = convert_em
    convert_strong = convert_b

    def convert_img(self, el: Tag, _text: str, **_: object) -> str:
        """Keep a description of several words; a single word is usually a file name."""
        alt = str(el.get("alt") or "").strip()
        return alt if " " in alt else ""

    def convert_td(self, el: Tag, text: str, **_: object) -> str:
        """Write a cell, whose bars are escaped, because one would begin another cell."""
        span = str(el.get("colspan") or "")
        bars = " |" * (min(max(1, int(span)), MAX_SPAN) if span.isdecimal() else 1)
        escaped = BAR.sub(r"\\|", text.strip())
        return " " + escaped.replace("\n", " ") + bars

    def convert_th(self, el: Tag, text: str, **_: object) -> str:
        """Write a cell of the header."""
        return self.convert_td(el, text)

    def convert_sup(self, _el: Tag, text: str, **_: object) -> str:
        """Write superscripts with a caret, to distinguish 10^-3 from 10-3; the number of a note as [3]."""
        is_note = text.startswith("[") and text.endswith("]")
        return text if is_note or not text.strip() else f"^{text}"

    def convert_pre(self, el: Tag, text: str, **_: object) -> str:
        """Fence code with its language, with more backticks than the code contains in a row."""
        code = text.strip("\n")
        if not code.strip():
            return ""
        fence = "`" * max(3, 1 + max((len(run) for run in BACKTICK_RUNS.findall(code)), default=0))
        return f"\n\n{fence}{_find_language(el)}\n{code}\n{fence}\n\n"


def _find_language(pre: Tag) -> str:
    """Return "python" for ``<pre><code class="language-python">``."""
    classes = [name for tag in (pre, pre.code) if tag for name in tag.get_attribute_list("class") if name]
    return next((match[1] for name in classes if (match := LANGUAGE_CLASS.match(str(name)))), "")
