"""markdownify with the choices that serve a summary; a module of its own because it loads bs4 on import."""

from __future__ import annotations

import re
from typing import TypedDict

from bs4 import Tag
from markdownify import ATX, MarkdownConverter

BACKTICK_RUNS = re.compile(r"`{3,}")
LANGUAGE_CLASS = re.compile(r"^lang(?:uage)?-([\w+#-]+)$")


class Options(TypedDict):
    """The options of markdownify that we set."""

    heading_style: str
    bullets: str
    escape_asterisks: bool
    escape_underscores: bool
    escape_misc: bool
    strip: list[str]


# Text stays verbatim: nothing is escaped, links are their words, images their description.
OPTIONS: Options = {
    "heading_style": ATX,
    "bullets": "-",
    "escape_asterisks": False,
    "escape_underscores": False,
    "escape_misc": False,
    "strip": ["a", "video"],
}


class SummaryMarkdownConverter(MarkdownConverter):
    """Converts a parsed page; every ``convert_*`` method is found by markdownify by its name."""

    def __init__(self) -> None:
        super().__init__(**OPTIONS)

    def convert_br(self, _el: Tag, _text: str, parent_tags: set[str]) -> str:
        """Break the line without markdownify's trailing spaces."""
        return " " if "_inline" in parent_tags else "\n"

    def convert_img(self, el: Tag, _text: str, **_: object) -> str:
        """Keep a description in words; a single word is nearly always a file name."""
        alt = str(el.get("alt") or "").strip()
        return alt if " " in alt else ""

    def convert_sup(self, _el: Tag, text: str, **_: object) -> str:
        """Keep 10^-3 apart from 10-3."""
        return f"^{text}" if text.strip() else ""

    def convert_pre(self, el: Tag, text: str, **_: object) -> str:
        """Fence code with its language, by more backticks than the code itself holds."""
        code = text.strip("\n")
        if not code.strip():
            return ""
        fence = "`" * max(3, 1 + max((len(run) for run in BACKTICK_RUNS.findall(code)), default=0))
        return f"\n\n{fence}{_find_language(el)}\n{code}\n{fence}\n\n"


def _find_language(pre: Tag) -> str:
    """Return "python" for ``<pre><code class="language-python">``."""
    classes = [name for tag in (pre, pre.code) if tag for name in tag.get_attribute_list("class") if name]
    return next((match[1] for name in classes if (match := LANGUAGE_CLASS.match(str(name)))), "")
