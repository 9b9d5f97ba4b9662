"""Formulas and readings of HTML pages as text: each formula once, and each reading apart from its word.

Pages hold a formula up to three times: as MathML, as its TeX source, and as glyphs or a picture to look at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

TEX_ENCODING = re.compile(r"tex", re.I)
TEX_SCRIPT = re.compile(r"^math/(tex|asciimath)", re.I)
DISPLAY_STYLE = re.compile(r"^\{\\(?:display|text)style\s+(.*)\}$", re.S)
# Elements that hold all forms of one formula: of Wikipedia, KaTeX and MathJax.
CONTAINERS = re.compile(r"^(mwe-math-element|katex|MathJax|MathJax_CHTML|MathJax_SVG)$")
PREVIEW = "MathJax_Preview"
# Signs between the parts of elements of MathML.
INFIX = {"msup": "^", "mover": "^", "msub": "_", "munder": "_", "mfrac": "/"}
# Signs for programs that read aloud: the application of a function, products and commas.
INVISIBLE = re.compile("[\u2061-\u2064]")
ANNOTATIONS = frozenset({"annotation", "annotation-xml"})
# Levels of MathML that are written with signs; real formulas have about ten.
MAX_DEPTH = 50


def rewrite_formulas(soup: BeautifulSoup) -> None:
    """Replace every formula by its TeX source between dollar signs, or by its symbols in one line."""
    for preview in soup.find_all(class_=PREVIEW):
        preview.decompose()
    for math in soup.find_all("math"):
        if not math.decomposed:
            container = _find_container(math)
            written = _write_formula(math)
            if container.name.startswith("mjx") or "MathJax" in " ".join(container.get_attribute_list("class")):
                _drop_script(container)
            container.replace_with(written)
    for script in soup.find_all("script", type=TEX_SCRIPT):
        is_block = "mode=display" in str(script["type"])
        script.replace_with(_mark_tex(script.get_text(), is_block=is_block))


def rewrite_ruby(soup: BeautifulSoup) -> None:
    """Write the reading of a word behind it, in parentheses."""
    for ruby in soup.find_all("ruby"):
        for parenthesis in ruby.find_all("rp"):
            parenthesis.decompose()
        for reading in ruby.find_all("rt"):
            text = reading.get_text(strip=True)
            reading.replace_with(f"({text})" if text else "")


def _find_container(math: Tag) -> Tag:
    """Return the outermost element that holds nothing but forms of this formula."""
    found = math
    for parent in math.parents:
        classes = parent.get_attribute_list("class") if parent.attrs else []
        if parent.name == "mjx-container" or any(name and CONTAINERS.match(name) for name in classes):
            found = parent
    return found


def _drop_script(container: Tag) -> None:
    """Remove the TeX source that MathJax 2 leaves behind the formula."""
    script = container.find_next_sibling()
    if script is not None and script.name == "script" and TEX_SCRIPT.match(str(script.get("type", ""))):
        script.decompose()


def _write_formula(math: Tag) -> str:
    source = math.find("annotation", encoding=TEX_ENCODING)
    tex = source.get_text() if source else str(math.get("alttext") or "")
    if tex.strip():
        return _mark_tex(tex, is_block=math.get("display") == "block")
    return " ".join(INVISIBLE.sub("", _write_symbols(math, 0)).split())


def _mark_tex(tex: str, *, is_block: bool) -> str:
    sign = "$$" if is_block else "$"
    tex = tex.strip()
    styled = DISPLAY_STYLE.match(tex)
    return f"{sign}{styled[1].strip() if styled else tex}{sign}"


def _write_symbols(tag: Tag, depth: int) -> str:
    """Return presentation MathML in one line: ``x^2``, ``(a+b)/c``."""
    from bs4 import Tag

    children = [child for child in tag.children if isinstance(child, Tag) and child.name not in ANNOTATIONS]
    if not children or depth > MAX_DEPTH:
        return tag.get_text()
    parts = [_write_symbols(child, depth + 1) for child in children]
    if tag.name in INFIX:
        return INFIX[tag.name].join(map(_group, parts))
    if tag.name in {"msubsup", "munderover"} and len(parts) == 3:
        return f"{parts[0]}_{_group(parts[1])}^{_group(parts[2])}"
    if tag.name == "msqrt":
        return f"√{_group(''.join(parts))}"
    return "".join(parts)


def _group(symbols: str) -> str:
    symbols = symbols.strip()
    return symbols if len(symbols) < 2 or symbols.isalnum() else f"({symbols})"
