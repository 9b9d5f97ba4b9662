"""Decision on hidden parts of HTML pages: dropped, unless they are most of the page, which a script would show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

INVISIBLE_STYLE = re.compile(r"(display\s*:\s*none|visibility\s*:\s*(hidden|collapse))", re.I)
DIALOG_ROLES = frozenset({"dialog", "alertdialog", "tooltip", "menu"})
# Parts of the markup of pages that hide something.
HIDING_SIGNS = ("hidden", "display", "visibility", "<dialog")
# Letters from which a hidden part can be the text of a page.
MIN_LETTERS = 30
NOTE = "hides most of its text until a script runs; it was read all the same"


def drop_hidden(soup: BeautifulSoup) -> tuple[str, ...]:
    """Remove hidden elements, and return a note if one of them was kept as the main part of the page."""
    hidden = [tag for tag in soup.find_all(_is_hidden) if not any(map(_is_hidden, tag.parents))]
    letters = [_count_prose(tag) for tag in hidden]
    visible = _count_prose(soup) - sum(letters) if max(letters, default=0) > MIN_LETTERS else 0
    notes: tuple[str, ...] = ()
    for tag, count in zip(hidden, letters, strict=True):
        if not _is_dialog(tag) and count > max(visible, MIN_LETTERS):
            notes = (NOTE,)
            for name in ("hidden", "style", "aria-hidden"):
                tag.attrs.pop(name, None)
            for nested in tag.find_all(_is_hidden):
                if not nested.decomposed:
                    nested.decompose()
        else:
            tag.decompose()
    return notes


def _is_hidden(tag: Tag) -> bool:
    if tag.name == "dialog":
        return not tag.has_attr("open")
    if tag.has_attr("hidden"):
        return tag["hidden"] != "until-found"
    return tag.get("aria-hidden") == "true" or bool(INVISIBLE_STYLE.search(str(tag.get("style") or "")))


def _is_dialog(tag: Tag) -> bool:
    return tag.name == "dialog" or tag.get("role") in DIALOG_ROLES or tag.has_attr("aria-modal")


def _count_prose(tag: Tag) -> int:
    """Return the number of letters outside of links; menus consist of links."""
    links = sum(_count_letters(link.get_text()) for link in tag.find_all("a"))
    return _count_letters(tag.get_text()) - links


def _count_letters(text: str) -> int:
    return sum(map(str.isalnum, text))
