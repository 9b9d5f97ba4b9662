"""Reader of Word files (DOCX): the body as Markdown, footnotes and endnotes numbered at its end.

Tracked changes are read as accepted. Text boxes stand behind their paragraph, and embedded documents at their place.
Comments, headers, footers, hidden text and pictures are left out, and counted in a note.
"""

from __future__ import annotations

import re
import secrets
import zipfile
from collections import Counter
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from producer.errors import SourceError
from producer.sources.decoding import decode_text, find_declared_charset
from producer.sources.formats.archive import open_archive, parse_xml, read_fields
from producer.sources.formats.docx_formulas import WORD
from producer.sources.formats.docx_markup import replace_element, simplify_markup
from producer.sources.formats.docx_package import (
    MAIN,
    STANDARD_NAMES,
    find_main_part,
    read_part,
    write_package,
)
from producer.sources.formats.docx_styles import Styles, drop_hidden_text, name_headings, read_styles
from producer.sources.formats.mail import read_mail
from producer.sources.formats.relationships import Relationship, read_relationships
from producer.sources.html import normalize_html
from producer.sources.limits import ReadLimits
from producer.sources.source import Content, describe_unread
from producer.sources.text import clean_label, find_title, normalize_text
from producer.sources.titles import is_placeholder

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# Kinds of parts that stand on every page.
MARGINS = frozenset({"header", "footer"})
PROPERTIES = "docProps/core.xml"
# Link from a note to its place, which mammoth writes as an arrow.
BACK_LINK = re.compile(r' <a href="#(?:foot|end)note-ref-[^"]*">↑</a>')
# Documents embedded in one another; real files have one level.
MAX_DEPTH = 3


def read_docx(data: bytes, limits: ReadLimits, *, depth: int = 0) -> Content:
    """Return a DOCX file as Markdown.

    Args:
        data: bytes of the file.
        limits: limits of reading.
        depth: number of documents that this one is embedded in.

    Raises:
        UnreadableError: it is corrupted.
        LimitError: its unpacked size is too large.
    """
    with open_archive(data, limits) as archive:
        main = find_main_part(archive)
        relationships = read_relationships(archive, main)
        names = {MAIN: main} | {item.kind: item.name for item in relationships.values() if item.name}
        roots = {kind: parse_xml(read_part(archive, names[kind])) for kind in STANDARD_NAMES if kind in names}
        margins = _count_margins(archive, relationships)
        embedded = _read_embedded(archive, roots[MAIN], relationships, limits, depth)
        metadata = read_fields(parse_xml(archive.read(PROPERTIES))) if PROPERTIES in archive.NameToInfo else {}
    styles = read_styles(roots.get("styles"))
    unread = _simplify_parts(roots, styles) + margins + embedded.unread
    styled_title = clean_label(name_headings(roots[MAIN], styles))
    text = _convert(roots, relationships)
    for mark, content in embedded.texts.items():
        text = text.replace(mark, content)
    title = metadata.pop("title", "")
    title = styled_title or find_title(text) if is_placeholder(title) else title
    return Content(normalize_text(text).strip(), "markdown", title, metadata, describe_unread(unread))


class _Embedded:
    """Texts of embedded documents by the marks that stand for them, and what could not be read."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.unread: Counter[str] = Counter()


def _read_embedded(
    archive: zipfile.ZipFile, root: Element, relationships: Mapping[str, Relationship], limits: ReadLimits, depth: int
) -> _Embedded:
    """Read the documents that Word shows in place (altChunk), and put a mark where each of them stands."""
    found = _Embedded()
    for chunk in list(root.iter(WORD + "altChunk")):
        relationship = relationships.get(chunk.get(RELATION_ID) or "")
        name = relationship.name if relationship else None
        try:
            text = _read_part_text(name, archive.read(name), limits, depth) if name else None
        except (SourceError, zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError):
            text = None
        if text is None:
            missing = clean_label(name or (relationship.target if relationship else "?"), max_chars=80)
            found.unread[f"embedded document ({missing})"] += 1
            replace_element(chunk, [])
        else:
            # Nothing in the document can guess the mark.
            mark = secrets.token_hex(16)
            found.texts[mark] = text
            replace_element(chunk, [_make_paragraph(chunk, mark)])
    return found


def _read_part_text(name: str, data: bytes, limits: ReadLimits, depth: int) -> str | None:
    """Return the text of an embedded document, None if its kind is not read."""
    suffix = name.lower().rpartition(".")[2]
    if suffix in {"htm", "html", "xhtml", "xht"}:
        return normalize_html(decode_text(data, declared=find_declared_charset(data))).text
    if suffix in {"mht", "mhtml"}:
        return read_mail(data).text
    if suffix == "txt":
        return normalize_text(decode_text(data))
    if suffix in {"docx", "docm", "dotx"} and depth < MAX_DEPTH:
        return read_docx(data, limits, depth=depth + 1).text
    return None


def _make_paragraph(element: Element, text: str) -> Element:
    paragraph, run, words = (element.makeelement(WORD + name) for name in ("p", "r", "t"))
    words.text = text
    run.append(words)
    paragraph.append(run)
    return paragraph


def _count_margins(archive: zipfile.ZipFile, relationships: Mapping[str, Relationship]) -> Counter[str]:
    """Return how many headers and footers hold words."""
    parts = [(item.kind, item.name) for item in relationships.values() if item.kind in MARGINS and item.name]
    texts = [(kind, "".join(text.text or "" for text in parse_xml(read_part(archive, name)).iter(WORD + "t")))
             for kind, name in parts]  # fmt: skip
    return Counter(kind for kind, text in texts if any(map(str.isalpha, text)))


def _simplify_parts(roots: dict[str, Element], styles: Styles) -> Counter[str]:
    unread: Counter[str] = Counter()
    for kind in (MAIN, "footnotes", "endnotes"):
        if kind in roots:
            unread["hidden passage"] += drop_hidden_text(roots[kind], styles)
            unread += simplify_markup(roots[kind])
    comments = roots.pop("comments", None)
    if comments is not None:
        unread["comment"] += len(comments.findall(WORD + "comment"))
    return unread


def _convert(roots: Mapping[str, Element], relationships: Mapping[str, Relationship]) -> str:
    """Convert simplified parts by way of HTML, whose Markdown is the same as that of pages."""
    from lxml import etree
    from mammoth import convert_to_html

    parts = {kind: etree.tostring(root, encoding="utf-8", xml_declaration=True) for kind, root in roots.items()}
    links = {key: quoteattr(item.target)[1:-1] for key, item in relationships.items() if item.kind == "hyperlink"}
    page = convert_to_html(BytesIO(write_package(parts, links)), include_embedded_style_map=False).value
    return normalize_html(BACK_LINK.sub("", page)).text
