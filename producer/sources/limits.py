"""Limits of reading: all bounds on untrusted documents in one place."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits of reading; the defaults pass a long book and stop a decompression bomb.

    Args:
        file_bytes: size of a document file or of standard input; of tables only JSON, because the others are streamed.
        page_bytes: size of a web page after decompression.
        unpacked_bytes: size of a DOCX or EPUB file, or of a Parquet row group, after decompression.
        zip_entries: number of files inside a DOCX or EPUB file.
        pages: number of pages of a PDF file.
        text_chars: characters of one document, one cell or one line of JSONL.
        conversion_seconds: time to convert one HTML, PDF, DOCX or EPUB document.
        conversion_bytes: memory to convert one document.
        url_seconds: time to fetch one page, redirects included.
        allow_private_hosts: allow URLs of this machine and of private networks.
        recognize_text: recognize the text of pages that are pictures (OCR).
    """

    file_bytes: int = 100 * MIB
    page_bytes: int = 20 * MIB
    unpacked_bytes: int = 500 * MIB
    zip_entries: int = 10_000
    pages: int = 5_000
    text_chars: int = 20_000_000
    conversion_seconds: int = 120
    conversion_bytes: int = 3 * 1024 * MIB
    url_seconds: int = 30
    allow_private_hosts: bool = False
    recognize_text: bool = False


# Limits with text recognition, which takes seconds a page.
RECOGNITION_LIMITS = ReadLimits(recognize_text=True, conversion_seconds=3600, conversion_bytes=8 * 1024 * MIB)


def format_bytes(size: int) -> str:
    """Return a size in words: "20 MiB", "512 bytes"."""
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size:,} bytes"
