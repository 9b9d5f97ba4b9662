"""Converts the bytes of one HTML, PDF, DOCX or EPUB document; its parsers belong behind the sandbox."""

from __future__ import annotations

from producer.sources.html import normalize_html
from producer.sources.kinds import Kind
from producer.sources.limits import ReadLimits
from producer.sources.source import Content


def convert(kind: Kind, data: bytes, limits: ReadLimits) -> Content:
    """Return the content of one document; HTML comes decoded, as UTF-8.

    Raises:
        SourceError: it cannot be read, or only beyond a bound.
        Exception: whatever the parser of a corrupted document raises.
    """
    if kind is Kind.HTML:
        return normalize_html(data.decode(), max_depth=limits.html_depth)
    from producer.sources.packed import read_docx, read_epub, read_pdf

    read_packed = {Kind.PDF: read_pdf, Kind.DOCX: read_docx, Kind.EPUB: read_epub}[kind]
    return read_packed(data, limits)
