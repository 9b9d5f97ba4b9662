"""Styles of a Word file: headings and the title, whatever the template calls them, and text that is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from producer.sources.formats.docx_formulas import WORD
from producer.sources.formats.docx_markup import replace_element

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

Styles = Mapping[str | None, "Element"]
# Values that switch a property off.
OFF = frozenset({"0", "false", "off"})
# Levels that are headings in HTML, too; level 9 is that of plain text.
LEVELS = frozenset("012345")
# Styles that are based on one another; real templates have a few.
MAX_DEPTH = 20


def name_headings(root: Element, known: Styles) -> str:
    """Give the title and paragraphs with an outline level the style of a heading, which the converter knows.

    Returns:
        The title, "" without one.
    """
    title = ""
    for properties in root.iter(WORD + "pPr"):
        mark = properties.find(WORD + "pStyle")
        style = None if mark is None else mark.get(WORD + "val")
        paragraph = properties.getparent()
        is_title = _find_name(style, known) == "title"
        if is_title and not title and paragraph is not None:
            title = "".join(text.text or "" for text in paragraph.iter(WORD + "t"))
        level = _read_level(properties) or _find_level(style, known) or ("0" if is_title else "")
        if level in LEVELS:
            if mark is None:
                mark = properties.makeelement(WORD + "pStyle")
                properties.insert(0, mark)
            mark.set(WORD + "val", f"Heading{int(level) + 1}")
    return title


def drop_hidden_text(root: Element, known: Styles) -> int:
    """Remove hidden runs, and return the number of places with a hidden text."""
    hidden = [run for run in root.iter(WORD + "r") if _is_hidden(run, known)]
    places = {run.getparent() for run in hidden if any((text.text or "").strip() for text in run.iter(WORD + "t"))}
    for run in hidden:
        replace_element(run, [])
    return len(places)


def _is_hidden(run: Element, known: Styles) -> bool:
    """Return True if the run, its style or the style of its paragraph hides it; the nearest that says so decides."""
    paragraph = next(run.iterancestors(WORD + "p"), None)
    styles = [
        run.find(f"{WORD}rPr/{WORD}rStyle"),
        *([] if paragraph is None else [paragraph.find(f"{WORD}pPr/{WORD}pStyle")]),
    ]
    owners = [
        run,
        *(base for style in styles if style is not None for base in _list_bases(style.get(WORD + "val"), known)),
    ]
    marks = (owner.find(f"{WORD}rPr/{WORD}vanish") for owner in owners)
    mark = next((mark for mark in marks if mark is not None), None)
    return mark is not None and mark.get(WORD + "val") not in OFF


def _list_bases(style: str | None, known: Styles) -> Iterator[Element]:
    """Yield a style and those that it is based on."""
    for _ in range(MAX_DEPTH):
        if style not in known:
            return
        yield known[style]
        base = known[style].find(WORD + "basedOn")
        style = None if base is None else base.get(WORD + "val")


def read_styles(styles: Element | None) -> Styles:
    """Return styles by their ids; complete those that the converter could not read."""
    known: dict[str | None, Element] = {}
    for style in [] if styles is None else list(styles.iter(WORD + "style")):
        if WORD + "styleId" in style.attrib:
            known[style.get(WORD + "styleId")] = style
            style.set(WORD + "type", style.get(WORD + "type") or "paragraph")
        else:
            replace_element(style, [])
    return known


def _find_name(style: str | None, known: Styles) -> str:
    name = known[style].find(WORD + "name") if style in known else None
    return ((style if name is None else name.get(WORD + "val")) or "").lower()


def _find_level(style: str | None, known: Styles) -> str:
    """Return the outline level of a style or of one that it is based on, "" without one."""
    found = (base.find(WORD + "pPr") for base in _list_bases(style, known))
    levels = (_read_level(properties) for properties in found if properties is not None)
    return next(filter(None, levels), "")


def _read_level(properties: Element) -> str:
    level = properties.find(WORD + "outlineLvl")
    return "" if level is None else level.get(WORD + "val") or ""
