"""Formulas of Word as TeX between dollar signs; one that cannot be converted is written by its symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"

# Elements without whose properties, which some programs do not write, the converter fails.
WITH_PROPERTIES = ("acc", "bar", "d", "eqArr", "f", "func", "groupChr", "limLow", "limUpp", "m", "nary", "rad")


def write_formulas(root: Element) -> None:
    """Replace every formula by a run of text."""
    for formula in list(root.iter(MATH + "oMath")):
        parent = formula.getparent()
        if parent is None:
            continue
        is_block = parent.tag == MATH + "oMathPara"
        run = formula.makeelement(WORD + "r")
        text = formula.makeelement(WORD + "t")
        text.text = f"$${_write_tex(formula)}$$" if is_block else f"${_write_tex(formula)}$"
        run.append(text)
        parent.replace(formula, run)
    for block in list(root.iter(MATH + "oMathPara")):
        parent = block.getparent()
        if parent is not None:
            place = parent.index(block)
            parent[place : place + 1] = [_wrap(block, parent)] if parent.tag != WORD + "p" else list(block)


def _wrap(block: Element, parent: Element) -> Element:
    """Return the runs of a formula that stands outside of a paragraph as one."""
    paragraph = parent.makeelement(WORD + "p")
    paragraph.extend(list(block))
    return paragraph


def _write_tex(formula: Element) -> str:
    from markitdown.converter_utils.docx.math.omml import oMath2Latex

    for name in WITH_PROPERTIES:
        for element in formula.iter(MATH + name):
            if element.find(f"{MATH}{name}Pr") is None:
                element.insert(0, element.makeelement(f"{MATH}{name}Pr"))
    try:
        convert: Any = oMath2Latex
        return str(convert(formula).latex).strip()
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError, NotImplementedError):
        return " ".join("".join(text.text or "" for text in formula.iter(MATH + "t")).split())
