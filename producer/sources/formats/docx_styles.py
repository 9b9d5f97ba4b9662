"""Styles of a Word file: which paragraphs are headings, whatever the template calls them, and which is the title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.sources.formats.docx_formulas import WORD
from producer.sources.formats.docx_markup import replace_element

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

# Levels that are headings in HTML, too; level 9 is that of plain text.
LEVELS = frozenset("012345")
# Styles that are based on one another; real templates have a few.
MAX_DEPTH = 20


def name_headings(root: Element, styles: Element | None) -> str:
    """Give paragraphs with an outline level the style of a heading, which the converter knows; return the title."""
    known = _read_styles(styles)
    title = ""
    for properties in root.iter(WORD + "pPr"):
        mark = properties.find(WORD + "pStyle")
        style = None if mark is None else mark.get(WORD + "val")
        paragraph = properties.getparent()
        if not title and paragraph is not None and _find_name(style, known) == "title":
            title = "".join(text.text or "" for text in paragraph.iter(WORD + "t"))
        level = _read_level(properties) or _find_level(style, known)
        if level in LEVELS:
            if mark is None:
                mark = properties.makeelement(WORD + "pStyle")
                properties.insert(0, mark)
            mark.set(WORD + "val", f"Heading{int(level) + 1}")
    return title


def _read_styles(styles: Element | None) -> dict[str | None, Element]:
    """Return styles by their ids; complete those that the converter could not read."""
    known: dict[str | None, Element] = {}
    for style in [] if styles is None else list(styles.iter(WORD + "style")):
        if WORD + "styleId" in style.attrib:
            known[style.get(WORD + "styleId")] = style
            style.set(WORD + "type", style.get(WORD + "type") or "paragraph")
        else:
            replace_element(style, [])
    return known


def _find_name(style: str | None, known: dict[str | None, Element]) -> str:
    name = known[style].find(WORD + "name") if style in known else None
    return ((style if name is None else name.get(WORD + "val")) or "").lower()


def _find_level(style: str | None, known: dict[str | None, Element]) -> str:
    """Return the outline level of a style or of one that it is based on, "" without one."""
    for _ in range(MAX_DEPTH):
        if style not in known:
            break
        properties, base = known[style].find(WORD + "pPr"), known[style].find(WORD + "basedOn")
        if properties is not None and (level := _read_level(properties)):
            return level
        style = None if base is None else base.get(WORD + "val")
    return ""


def _read_level(properties: Element) -> str:
    level = properties.find(WORD + "outlineLvl")
    return "" if level is None else level.get(WORD + "val") or ""
