"""Simplification of Word's markup to what the converter reads: every visible text is there once.

Text that was moved stands where it was moved to, a text box after the paragraph that holds it.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING

from producer.sources.formats.docx_formulas import WORD, write_formulas

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
VML = "{urn:schemas-microsoft-com:vml}"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
EMBEDDED = "{urn:schemas-microsoft-com:office:office}OLEObject"
# Drawn things without text that can be read here, in words.
UNREAD = {CHART: "chart", DIAGRAM: "diagram", EMBEDDED: "embedded object"}
# Elements around text that the converter passes over together with the text.
WRAPPERS = ("moveTo", "customXml", "dir", "bdo", "fldSimple")
RENAMED = {"cr": "br", "ptab": "tab", "dstrike": "strike"}
DRAWINGS = ("drawing", "pict", "object")


def simplify_markup(root: Element) -> Counter[str]:
    """Simplify a part in place, and return how many things of which kind were not read."""
    _drop_unseen(root)
    _choose_alternatives(root)
    unread = Counter(name for tag, name in UNREAD.items() for _ in root.iter(tag))
    unread["picture"] += _count_pictures(root)
    _keep_text_boxes(root)
    _resolve_moves(root)
    _write_ruby(root)
    write_formulas(root)
    _rename_elements(root)
    for name in WRAPPERS:
        for wrapper in list(root.iter(WORD + name)):
            replace_element(wrapper, list(wrapper))
    return unread


def replace_element(element: Element, replacements: list[Element]) -> None:
    """Replace an element by others, or by nothing; text behind it is white space in these files."""
    parent = element.getparent()
    if parent is not None:
        place = parent.index(element)
        parent[place : place + 1] = replacements


def _choose_alternatives(root: Element) -> None:
    """Keep one branch of each alternative: that with a text box, else the fallback, else the first."""
    for alternative in reversed(list(root.iter(COMPATIBILITY + "AlternateContent"))):
        branches = [*alternative.findall(COMPATIBILITY + "Choice"), *alternative.findall(COMPATIBILITY + "Fallback")]
        with_text = [branch for branch in branches if next(branch.iter(WORD + "t"), None) is not None]
        chosen = with_text[:1] or branches[-1:]
        replace_element(alternative, [child for branch in chosen for child in branch])


def _count_pictures(root: Element) -> int:
    """Return the number of pictures; those that only show an embedded object are none."""
    drawn = sum(1 for _ in root.iter("{*}pic"))
    return drawn + sum(
        next(image.iterancestors(WORD + "object"), None) is None for image in root.iter(VML + "imagedata")
    )


def _keep_text_boxes(root: Element) -> None:
    """Replace a drawing by the text boxes in it; pictures are not read."""
    for name in DRAWINGS:
        for drawing in list(root.iter(WORD + name)):
            boxes = [box for box in drawing.iter(WORD + "txbxContent") if not _is_nested(box, drawing)]
            replace_element(drawing, [_make_text_box(drawing, box) for box in boxes])


def _is_nested(box: Element, drawing: Element) -> bool:
    for ancestor in box.iterancestors():
        if ancestor is drawing:
            return False
        if ancestor.tag == WORD + "txbxContent":
            return True
    return False


def _make_text_box(drawing: Element, box: Element) -> Element:
    """Return a text box in the form that the converter reads."""
    picture = drawing.makeelement(WORD + "pict")
    outer = picture
    for tag in (VML + "shape", VML + "textbox"):
        inner = outer.makeelement(tag)
        outer.append(inner)
        outer = inner
    content = deepcopy(box)
    content.tail = None
    _keep_text_boxes(content)
    outer.append(content)
    return picture


def _resolve_moves(root: Element) -> None:
    """Remove text at the place from which it was moved, and table cells that were deleted."""
    for name, meaning in (("moveFrom", "del"), ("moveTo", "ins")):
        for mark in list(root.iter(WORD + name)):
            parent = mark.getparent()
            if parent is not None and parent.tag == WORD + "rPr":
                # The mark of a paragraph's end, which the converter knows under this name.
                mark.tag = WORD + meaning
            elif name == "moveFrom":
                replace_element(mark, [])
    for mark in list(root.iter(WORD + "cellDel")):
        cell = next(mark.iterancestors(WORD + "tc"), None)
        if cell is not None:
            replace_element(cell, [])


def _drop_unseen(root: Element) -> None:
    """Remove hints where something is to be filled in, and tables of contents."""
    for control in list(root.iter(WORD + "sdt")):
        gallery = control.find(f"{WORD}sdtPr/{WORD}docPartObj/{WORD}docPartGallery")
        is_contents = gallery is not None and gallery.get(WORD + "val") == "Table of Contents"
        if is_contents or control.find(f"{WORD}sdtPr/{WORD}showingPlcHdr") is not None:
            replace_element(control, [])
    for run in _list_contents(root):
        replace_element(run, [])


def _list_contents(root: Element) -> list[Element]:
    """Return the runs of fields that are tables of contents; a field that never ends is none."""
    found: list[Element] = []
    # Runs of each open field, and whether the field is a table of contents.
    fields: list[tuple[list[Element], bool]] = []
    for run in root.iter(WORD + "r"):
        mark = run.find(WORD + "fldChar")
        kind = None if mark is None else mark.get(WORD + "fldCharType")
        if kind == "begin":
            fields.append(([], False))
        if fields:
            runs, is_contents = fields[-1]
            runs.append(run)
            instruction = (run.findtext(WORD + "instrText") or "").split()
            fields[-1] = (runs, is_contents or instruction[:1] == ["TOC"])
        if kind == "end" and fields:
            runs, is_contents = fields.pop()
            if is_contents:
                found += runs
            elif fields:
                fields[-1][0].extend(runs)
    return found


def _rename_elements(root: Element) -> None:
    """Give breaks, tabs and crossed text the names that the converter knows."""
    for old, new in RENAMED.items():
        for element in root.iter(WORD + old):
            element.tag = WORD + new


def _write_ruby(root: Element) -> None:
    """Write the reading of a word behind it, in parentheses."""
    for ruby in list(root.iter(WORD + "ruby")):
        base, reading = ruby.find(WORD + "rubyBase"), ruby.find(WORD + "rt")
        parts = list(base) if base is not None else []
        if reading is not None and len(reading):
            parts += [_make_text(ruby, "("), *reading, _make_text(ruby, ")")]
        replace_element(ruby, parts)


def _make_text(element: Element, text: str) -> Element:
    made = element.makeelement(WORD + "t")
    made.text = text
    return made
