"""Parts of a DOCX package, found by their relationships as Word does, whatever their names are.

The converter knows some parts by fixed names, so that a package is laid out again under these names.
"""

from __future__ import annotations

import io
import zipfile

from producer.errors import UnreadableError
from producer.sources.formats.relationships import read_relationships

RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
# Prefixes of the types of relationships: of the usual kind of file, and of "strict" ones.
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships/"
# Namespaces of strict files and those that the converter knows.
STRICT_NAMESPACES = {
    b"http://purl.oclc.org/ooxml/wordprocessingml/main": b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    b"http://purl.oclc.org/ooxml/officeDocument/relationships": OFFICE.rstrip("/").encode(),
    b"http://purl.oclc.org/ooxml/officeDocument/math": b"http://schemas.openxmlformats.org/officeDocument/2006/math",
    b"http://purl.oclc.org/ooxml/drawingml/main": b"http://schemas.openxmlformats.org/drawingml/2006/main",
}
MAIN = "officeDocument"
# Kinds of parts with the names under which the converter looks for them.
STANDARD_NAMES = {
    MAIN: "word/document.xml",
    "footnotes": "word/footnotes.xml",
    "endnotes": "word/endnotes.xml",
    "styles": "word/styles.xml",
    "numbering": "word/numbering.xml",
    "comments": "word/comments.xml",
}


def find_main_part(archive: zipfile.ZipFile) -> str:
    """Return the name of the main part.

    Raises:
        UnreadableError: there is none.
    """
    for relationship in read_relationships(archive, "").values():
        if relationship.kind == MAIN and relationship.name:
            return relationship.name
    if STANDARD_NAMES[MAIN] in archive.NameToInfo:
        return STANDARD_NAMES[MAIN]
    raise UnreadableError("lacks its main part, so it is damaged or another kind of file; save it again")


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a part, with the namespaces that the converter knows."""
    data = archive.read(name)
    if b"purl.oclc.org/ooxml" in data:
        for strict, usual in STRICT_NAMESPACES.items():
            data = data.replace(strict, usual)
    return data


def write_package(parts: dict[str, bytes], links: dict[str, str]) -> bytes:
    """Return a package of the main part and the parts that it refers to.

    Args:
        parts: content by kind; each kind has a standard name.
        links: addresses of hyperlinks by the ids of their references.
    """
    references = [
        f'<Relationship Id="{kind}" Type="{OFFICE}{kind}" Target="/{STANDARD_NAMES[kind]}"/>'
        for kind in parts
        if kind != MAIN
    ]
    references += [
        f'<Relationship Id="{name}" Type="{OFFICE}hyperlink" Target="{target}" TargetMode="External"/>'
        for name, target in links.items()
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("_rels/.rels", _write_relationships(
            [f'<Relationship Id="{MAIN}" Type="{OFFICE}{MAIN}" Target="{STANDARD_NAMES[MAIN]}"/>']
        ))  # fmt: skip
        archive.writestr("word/_rels/document.xml.rels", _write_relationships(references))
        for kind, data in parts.items():
            archive.writestr(STANDARD_NAMES[kind], data)
    return buffer.getvalue()


def _write_relationships(relationships: list[str]) -> str:
    return f'<?xml version="1.0"?><Relationships xmlns="{RELATIONSHIPS}">{"".join(relationships)}</Relationships>'
