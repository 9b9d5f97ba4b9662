"""Readers of PDF, DOCX and EPUB: check a file for attacks on the parser, then convert it by markitdown.

They run in the sandbox's child process: markitdown takes a second to import, and its parsers trust their input.
"""

from __future__ import annotations

import io
import zipfile
from itertools import islice
from typing import TYPE_CHECKING

from producer.errors import LimitError, UnreadableError
from producer.sources.kinds import OLE_MAGIC
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.markdown_converter import OPTIONS, Options
from producer.sources.source import Content
from producer.sources.text import clean_label, find_title, normalize_text

if TYPE_CHECKING:
    from markitdown import DocumentConverter

XML_SUFFIXES = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm")
# Fields of a PDF's information dictionary that become metadata.
PDF_FIELDS = ("Title", "Author", "Subject", "CreationDate")
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


def read_pdf(data: bytes, limits: ReadLimits) -> Content:
    """Return the text of a PDF file in page order.

    Raises:
        UnreadableError: it is corrupted, encrypted or holds no text.
        LimitError: it has too many pages.
    """
    from markitdown.converters import PdfConverter

    metadata = _check_pdf(data, limits)
    text = normalize_text(_convert(PdfConverter, data, ".pdf").replace("\f", "\n\n")).strip()
    if not text:
        raise UnreadableError("holds pages without any text (a scan?); run text recognition (OCR) on it first")
    return Content(text, "text", metadata.pop("title", ""), metadata)


def read_docx(data: bytes, limits: ReadLimits) -> Content:
    """Return a DOCX file as Markdown.

    Raises:
        UnreadableError: it is corrupted.
        LimitError: its unpacked size is too large.
    """
    from markitdown.converters import DocxConverter

    metadata = _check_zip(data, limits, required="word/document.xml")
    return _make_content(_convert(DocxConverter, data, ".docx"), metadata)


def read_epub(data: bytes, limits: ReadLimits) -> Content:
    """Return an EPUB file as Markdown, chapters in reading order.

    Raises:
        UnreadableError: it is corrupted.
        LimitError: its unpacked size is too large.
    """
    from markitdown.converters import EpubConverter

    metadata = _check_zip(data, limits, required="META-INF/container.xml")
    return _make_content(_convert(EpubConverter, data, ".epub"), metadata)


def _convert(converter: type[DocumentConverter], data: bytes, suffix: str) -> str:
    """Call a converter of markitdown directly; its entry point would guess kinds and load network converters."""
    from markitdown import StreamInfo

    options: Options = {**OPTIONS, "strip": ["a", "img", "video"]}
    return converter().convert(io.BytesIO(data), StreamInfo(extension=suffix), **options).markdown


def _make_content(markdown: str, metadata: dict[str, str]) -> Content:
    text = normalize_text(markdown).strip()
    return Content(text, "markdown", metadata.pop("title", "") or find_title(text), metadata)


def _check_pdf(data: bytes, limits: ReadLimits) -> dict[str, str]:
    """Reject encrypted and too long files, and return the title, author, subject and date."""
    from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser
    from pdfminer.utils import decode_text

    try:
        document = PDFDocument(PDFParser(io.BytesIO(data)))
    except (PDFEncryptionError, PDFPasswordIncorrect) as error:
        raise UnreadableError("is encrypted; save a copy without a password") from error
    if sum(1 for _ in islice(PDFPage.create_pages(document), limits.pages + 1)) > limits.pages:
        raise LimitError(f"has more than {limits.pages:,} pages; split it")
    info = {name: value for fields in document.info for name, value in fields.items() if name in PDF_FIELDS}
    labels = {name.lower(): clean_label(decode_text(value)) for name, value in info.items() if isinstance(value, bytes)}
    return {name: label for name, label in labels.items() if label}


def _check_zip(data: bytes, limits: ReadLimits, *, required: str) -> dict[str, str]:
    """Reject zip bombs and XML entities before a parser opens them, and return the Dublin Core metadata.

    Only declared sizes are checked here; the sandbox's memory limit stops archives that declare false ones.
    """
    if data.startswith(OLE_MAGIC):
        raise UnreadableError("is encrypted; save a copy without a password")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > limits.zip_entries or unpacked > limits.unpacked_bytes:
            raise LimitError(
                f"unpacks to {len(members):,} files of {format_bytes(unpacked)}, more than the "
                f"{limits.zip_entries:,} files or {format_bytes(limits.unpacked_bytes)} allowed"
            )
        if required not in archive.namelist():
            raise UnreadableError(f"lacks {required}, so it is damaged or another kind of file; save it again")
        for member in members:
            if member.filename.lower().endswith(XML_SUFFIXES):
                _check_entities(archive.read(member))
        return _read_dublin_core(archive)


def _check_entities(xml: bytes) -> None:
    """Reject XML that declares entities (billion laughs, external files); ill-formed XML is left to the parser."""
    from xml.sax import ContentHandler, SAXException

    from defusedxml import DefusedXmlException, sax

    try:
        sax.parseString(xml, ContentHandler())
    except DefusedXmlException as error:
        raise UnreadableError("declares XML entities, as an attack would; save it again from an editor") from error
    except SAXException:
        return


def _read_dublin_core(archive: zipfile.ZipFile) -> dict[str, str]:
    from defusedxml.ElementTree import ParseError, fromstring

    metadata: dict[str, str] = {}
    for name in archive.namelist():
        if name == "docProps/core.xml" or name.endswith(".opf"):
            try:
                root = fromstring(archive.read(name))
            except ParseError:
                continue
            for field in ("title", "creator", "language", "date", "publisher"):
                if value := clean_label(root.findtext(f".//{DUBLIN_CORE}{field}") or ""):
                    metadata[field] = value
    return metadata
