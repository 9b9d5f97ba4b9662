"""Tells what kind of document a file is: by its suffix, else by its first bytes."""

from __future__ import annotations

from enum import StrEnum

from producer.errors import SourceUsageError

SAVE_AS_DOCX = "save it as .docx or PDF"
RUN_OCR = "run text recognition (OCR) on it first"
UNPACK = "unpack it first"
# Kinds that people do try, and what to do instead.
UNSUPPORTED = {
    **dict.fromkeys(
        (".doc", ".odt", ".rtf", ".pages", ".wpd", ".ppt", ".pptx", ".odp", ".mobi", ".azw3"), SAVE_AS_DOCX
    ),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "export it as CSV"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".djvu"), RUN_OCR),
    **dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz"), UNPACK),
    **dict.fromkeys((".mp3", ".wav", ".mp4", ".mkv", ".mov", ".m4a"), "transcribe it first"),
}


class Kind(StrEnum):
    """The kinds of documents and tables that can be read."""

    HTML = "HTML"
    MARKDOWN = "Markdown"
    TEXT = "text"
    PDF = "PDF"
    DOCX = "DOCX"
    EPUB = "EPUB"
    CSV = "CSV"
    TSV = "TSV"
    JSONL = "JSONL"
    JSON = "JSON"
    PARQUET = "Parquet"

    @property
    def is_table(self) -> bool:
        """True if the file holds one document a row."""
        return self in {Kind.CSV, Kind.TSV, Kind.JSONL, Kind.JSON, Kind.PARQUET}


SUFFIXES = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), Kind.HTML),
    **dict.fromkeys((".md", ".markdown"), Kind.MARKDOWN),
    **dict.fromkeys((".txt", ".text", ".rst", ".log"), Kind.TEXT),
    ".pdf": Kind.PDF,
    ".docx": Kind.DOCX,
    ".epub": Kind.EPUB,
    ".csv": Kind.CSV,
    **dict.fromkeys((".tsv", ".tab"), Kind.TSV),
    **dict.fromkeys((".jsonl", ".ndjson"), Kind.JSONL),
    ".json": Kind.JSON,
    **dict.fromkeys((".parquet", ".pq"), Kind.PARQUET),
}
MEDIA_TYPES = {
    **dict.fromkeys(("text/html", "application/xhtml+xml"), Kind.HTML),
    **dict.fromkeys(("text/markdown", "text/x-markdown"), Kind.MARKDOWN),
    "application/pdf": Kind.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind.DOCX,
    "application/epub+zip": Kind.EPUB,
}
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def find_kind(suffix: str) -> Kind | None:
    """Return the kind that a file name suffix (".md") stands for, None if its content has to tell.

    Raises:
        SourceUsageError: the suffix belongs to a kind that is not supported.
    """
    suffix = suffix.lower()
    if advice := UNSUPPORTED.get(suffix):
        raise SourceUsageError(f"is a {suffix} file, which cannot be read; {advice}")
    return SUFFIXES.get(suffix)


def sniff_kind(data: bytes) -> Kind | None:
    """Return the kind that the first bytes of a document give away, None for any text.

    Raises:
        SourceUsageError: they give away a kind that is not supported.
    """
    if data.startswith(b"%PDF-"):
        return Kind.PDF
    if data.startswith(OLE_MAGIC):
        raise SourceUsageError(f"is an old or encrypted Office file; {SAVE_AS_DOCX} without a password")
    if data.startswith(b"PK\x03\x04"):
        # The names of the files inside stand in the archive as they are.
        if b"META-INF/container.xml" in data:
            return Kind.EPUB
        if b"word/document.xml" in data:
            return Kind.DOCX
        raise SourceUsageError(f"is a zip archive; {UNPACK}")
    return None
