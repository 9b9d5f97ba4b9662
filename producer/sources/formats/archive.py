"""Zip archives of XML (EPUB and Office files), checked for attacks on their parsers before one of them sees a byte."""

from __future__ import annotations

import html
import io
import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from producer.errors import LimitError, UnreadableError
from producer.sources.kinds import OLE_MAGIC
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.text import clean_label

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

# What may stand before the first tag of XML in any encoding, and bytes that are enough to see it.
BEFORE_TAGS = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
HEAD_BYTES = 64
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
# Fields of Dublin Core that become metadata of a document.
FIELDS = ("title", "creator", "language", "date", "publisher")


@contextmanager
def open_archive(data: bytes, limits: ReadLimits) -> Iterator[zipfile.ZipFile]:
    """Open an archive; reject zip bombs and XML that declares entities.

    Only declared sizes are checked here; the sandbox's memory limit stops archives that declare false ones.

    Raises:
        UnreadableError: the archive is encrypted, or declares XML entities.
        LimitError: its unpacked size is too large.
    """
    if data.startswith(OLE_MAGIC):
        raise UnreadableError("is encrypted; save a copy without a password")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        is_cut = data.startswith(b"PK")
        found = "damaged zip archive; save it again" if is_cut else "file of another kind; rename it or save it again"
        raise UnreadableError(f"is a {found}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > limits.zip_entries or unpacked > limits.unpacked_bytes:
            raise LimitError(
                f"unpacks to {len(members):,} files of {format_bytes(unpacked)}, more than the "
                f"{limits.zip_entries:,} files or {format_bytes(limits.unpacked_bytes)} allowed"
            )
        for member in members:
            if _is_markup(archive, member):
                check_entities(archive.read(member))
            # Some programs of Windows write the names with its separator.
            member.filename = member.filename.replace("\\", "/")
            archive.NameToInfo[member.filename] = member
        yield archive


def _is_markup(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as stream:
        return stream.read(HEAD_BYTES).lstrip(BEFORE_TAGS).startswith(b"<")


def check_entities(xml: bytes) -> None:
    """Reject XML that declares entities (billion laughs, external files); ill-formed XML is left to the parser.

    A document type that only names its public definition, as XHTML 1.1 and NCX files do, is harmless: the definition
    is not fetched.
    """
    from xml.sax import ContentHandler, SAXException

    from defusedxml import DefusedXmlException, sax

    try:
        sax.parseString(xml, ContentHandler(), forbid_external=False)
    except DefusedXmlException as error:
        raise UnreadableError("declares XML entities, as an attack would; save it again from an editor") from error
    except SAXException:
        return


def parse_xml(xml: bytes) -> Element:
    """Return the root of an XML document; small errors, such as a prefix that is not declared, are tolerated.

    Raises:
        UnreadableError: it is not XML.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, remove_comments=True)
    try:
        root: Element | None = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        raise UnreadableError("holds a part that is not XML, so it is damaged; save it again")
    return root


def read_fields(root: Element) -> dict[str, str]:
    """Return the Dublin Core fields of a package or of an Office file's properties."""
    found = {field: [element.text or "" for element in root.iter(DUBLIN_CORE + field)] for field in FIELDS}
    found["title"] = found["title"][:1]
    # Some programs escape a field twice.
    labels = {field: clean_label(html.unescape("; ".join(filter(None, values)))) for field, values in found.items()}
    return {field: label for field, label in labels.items() if label}


def resolve_name(archive: zipfile.ZipFile, base: str, reference: str) -> str | None:
    """Return the name of the member that a part refers to, None if there is none.

    Args:
        archive: the archive.
        base: name of the part that holds the reference.
        reference: a relative or absolute reference, percent-encoded or not.
    """
    names = {name.lower(): name for name in reversed(archive.namelist())}
    reference = reference.replace("\\", "/")
    for path in (unquote(reference.partition("#")[0]), reference):
        joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(base), path)).lstrip("/")
        if joined in archive.NameToInfo:
            return joined
        if joined.lower() in names:
            return names[joined.lower()]
    return None
