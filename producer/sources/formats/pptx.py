"""Reader of PowerPoint files (PPTX): titles, texts, tables, diagrams and speaker notes, slide by slide, as Markdown."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from producer.errors import UnreadableError
from producer.sources.formats.archive import open_archive, parse_xml, read_fields
from producer.sources.formats.relationships import Relationship, read_relationships
from producer.sources.limits import ReadLimits
from producer.sources.source import Content, describe_unread
from producer.sources.text import clean_label, normalize_text
from producer.sources.titles import is_placeholder

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

HEADING = "## "
PROPERTIES = "docProps/core.xml"
TITLES = frozenset({"title", "ctrTitle"})
# Placeholders that stand on every slide.
REPEATED = frozenset({"dt", "ftr", "hdr", "sldNum"})
# Groups within groups; real slides have a few levels.
MAX_DEPTH = 30


@dataclass(slots=True)
class _Slide:
    """Parts of one slide, in reading order, and what is not read."""

    relationships: Mapping[str, Relationship]
    title: str = ""
    blocks: list[str] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


def read_pptx(data: bytes, limits: ReadLimits) -> Content:
    """Return a presentation as Markdown, a heading for each slide with a title.

    Raises:
        UnreadableError: it is corrupted.
        LimitError: its unpacked size is too large.
    """
    unread: Counter[str] = Counter()
    with open_archive(data, limits) as archive:
        slides = [_write_slide(archive, name, unread) for name in _list_slides(archive)]
        metadata = read_fields(parse_xml(archive.read(PROPERTIES))) if PROPERTIES in archive.NameToInfo else {}
    text = normalize_text("\n\n".join(filter(None, slides))).strip()
    title = metadata.pop("title", "")
    title = _find_first_title(text) if is_placeholder(title) else title
    return Content(text, "markdown", title, metadata, describe_unread(unread))


def _find_first_title(text: str) -> str:
    """Return the title of the first slide that has one."""
    lines = (line for line in text.split("\n") if line.startswith(HEADING))
    return clean_label(next(lines, "").removeprefix(HEADING))


def _list_slides(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the names of the slides in the order of the presentation."""
    main = next((item.name for item in read_relationships(archive, "").values() if item.kind == "officeDocument"), None)
    if main is None:
        raise UnreadableError("lacks its main part, so it is damaged or another kind of file; save it again")
    relationships = read_relationships(archive, main)
    for entry in parse_xml(archive.read(main)).iterfind(".//{*}sldIdLst/{*}sldId"):
        relationship = relationships.get(_get_reference(entry))
        if relationship is not None and relationship.name:
            yield relationship.name


def _get_reference(element: Element, name: str = "id") -> str:
    """Return the id of a relationship; its attribute has the namespace of relationships."""
    return next((value for key, value in element.attrib.items() if key.endswith(f"relationships}}{name}")), "")


def _write_slide(archive: zipfile.ZipFile, name: str, unread: Counter[str]) -> str:
    root = parse_xml(archive.read(name))
    if root.get("show") in {"0", "false"}:
        unread["hidden slide"] += 1
        return ""
    slide = _Slide(read_relationships(archive, name))
    for tree in root.iterfind("{*}cSld/{*}spTree"):
        _read_shapes(archive, tree, slide, depth=0)
    heading = [HEADING + slide.title] if slide.title else []
    unread.update(slide.unread)
    return "\n\n".join([*heading, *slide.blocks, *_read_notes(archive, slide)])


def _read_notes(archive: zipfile.ZipFile, slide: _Slide) -> Iterator[str]:
    """Yield what the speaker noted."""
    for relationship in slide.relationships.values():
        if relationship.kind == "notesSlide" and relationship.name:
            for shape in parse_xml(archive.read(relationship.name)).iter("{*}sp"):
                if _find_placeholder(shape) == "body" and (text := " ".join(_write_paragraphs(shape))):
                    yield f"Notes: {text}"


def _read_shapes(archive: zipfile.ZipFile, tree: Iterable[Element], slide: _Slide, *, depth: int) -> None:
    for shape in tree if depth < MAX_DEPTH else ():
        match str(shape.tag).rpartition("}")[2]:
            case "sp":
                _read_text(shape, slide)
            case "grpSp":
                _read_shapes(archive, shape, slide, depth=depth + 1)
            case "pic":
                slide.unread["picture"] += 1
            case "graphicFrame":
                _read_frame(archive, shape, slide)
            case "AlternateContent":
                branches = list(shape)
                with_text = [branch for branch in branches if next(branch.iter("{*}t"), None) is not None]
                _read_shapes(archive, (with_text or branches or [shape])[0], slide, depth=depth + 1)


def _find_placeholder(shape: Element) -> str:
    placeholder = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
    return "" if placeholder is None else placeholder.get("type") or "body"


def _read_text(shape: Element, slide: _Slide) -> None:
    kind = _find_placeholder(shape)
    lines = list(_write_paragraphs(shape, is_list=kind == "body"))
    if kind in TITLES and not slide.title:
        slide.title = " ".join(" ".join(lines).split())
    elif kind not in REPEATED and lines:
        slide.blocks.append("\n".join(lines) if kind == "body" else "\n\n".join(lines))


def _write_paragraphs(shape: Element, *, is_list: bool = False) -> Iterator[str]:
    """Yield the paragraphs that are not blank; those of a list with their marks."""
    paragraphs = [(paragraph, _write_runs(paragraph)) for paragraph in shape.iterfind("{*}txBody/{*}p")]
    filled = [(paragraph, text) for paragraph, text in paragraphs if text]
    for paragraph, text in filled:
        properties = paragraph.find("{*}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        indent = "  " * min(int(level), 8) if level.isdecimal() else ""
        yield f"{indent}- {text}" if is_list and len(filled) > 1 else text


def _write_runs(paragraph: Element) -> str:
    """Return the text of a paragraph, line breaks as spaces, without the number of the slide."""
    parts = []
    for element in paragraph.iter():
        tag = str(element.tag).rpartition("}")[2]
        if tag == "br":
            parts.append(" ")
        elif tag == "t":
            parent = element.getparent()
            is_number = parent is not None and parent.get("type") == "slidenum"
            parts.append("" if is_number else element.text or "")
    return " ".join("".join(parts).split())


def _read_frame(archive: zipfile.ZipFile, frame: Element, slide: _Slide) -> None:
    """Read a table or a diagram; charts and embedded objects are counted."""
    if (table := next(frame.iter("{*}tbl"), None)) is not None:
        slide.blocks.append(_write_table(table))
    elif (diagram := next(frame.iter("{*}relIds"), None)) is not None:
        relationship = slide.relationships.get(_get_reference(diagram, "dm"))
        if relationship is not None and relationship.name:
            data = parse_xml(archive.read(relationship.name))
            slide.blocks.append("\n".join(f"- {text}" for text in map(_write_runs, data.iter("{*}p")) if text))
    else:
        slide.unread["chart" if next(frame.iter("{*}chart"), None) is not None else "embedded object"] += 1


def _write_table(table: Element) -> str:
    rows = [
        [" ".join(map(_write_runs, cell.iter("{*}p"))).replace("|", "\\|") for cell in row.iterfind("{*}tc")]
        for row in table.iterfind("{*}tr")
    ]
    if not rows:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])
