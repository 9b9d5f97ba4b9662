"""Detection of a document's kind by file suffix, else by its first bytes."""

from __future__ import annotations

import io
import zipfile
from enum import StrEnum

from producer.errors import SourceUsageError, UnreadableError

SAVE_AS_DOCX = "save it as .docx or PDF"
RUN_OCR = "run text recognition (OCR) on it first"
UNPACK = "unpack it first"
# Advice by the suffix of frequent but unsupported kinds.
UNSUPPORTED = {
    **dict.fromkeys((".doc", ".odt", ".rtf", ".pages", ".wpd", ".mobi", ".azw3", ".fb2", ".wps"), SAVE_AS_DOCX),
    **dict.fromkeys((".ppt", ".odp", ".key"), "save it as .pptx or PDF"),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), "export it as CSV or .xlsx"),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".avro", ".sqlite", ".db", ".pkl"), "export it as CSV or Parquet"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".djvu"), RUN_OCR),
    **dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz"), UNPACK),
    **dict.fromkeys((".tex", ".ltx"), "compile it to PDF, or convert it to Markdown with pandoc"),
    **dict.fromkeys((".msg", ".mbox", ".pst"), "save its messages as .eml files"),
    **dict.fromkeys((".ass", ".ssa", ".sub"), "convert it to .srt"),
    **dict.fromkeys((".mp3", ".wav", ".mp4", ".mkv", ".mov", ".m4a"), "transcribe it first"),
}


class FileKind(StrEnum):
    """Kinds of documents and tables that can be read."""

    HTML = "HTML"
    MARKDOWN = "Markdown"
    TEXT = "text"
    PDF = "PDF"
    DOCX = "DOCX"
    EPUB = "EPUB"
    MAIL = "mail"
    PPTX = "PPTX"
    SUBTITLES = "subtitles"
    NOTEBOOK = "notebook"
    RST = "reStructuredText"
    CSV = "CSV"
    TSV = "TSV"
    JSONL = "JSONL"
    JSON = "JSON"
    PARQUET = "Parquet"
    XLSX = "XLSX"

    @property
    def is_table(self) -> bool:
        """True if the file holds one document per row."""
        return self in {FileKind.CSV, FileKind.TSV, FileKind.JSONL, FileKind.JSON, FileKind.PARQUET, FileKind.XLSX}


SUFFIXES = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), FileKind.HTML),
    **dict.fromkeys((".md", ".markdown"), FileKind.MARKDOWN),
    **dict.fromkeys((".txt", ".text", ".log"), FileKind.TEXT),
    ".pdf": FileKind.PDF,
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), FileKind.DOCX),
    ".epub": FileKind.EPUB,
    **dict.fromkeys((".eml", ".mht", ".mhtml"), FileKind.MAIL),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".potx"), FileKind.PPTX),
    **dict.fromkeys((".srt", ".vtt"), FileKind.SUBTITLES),
    ".ipynb": FileKind.NOTEBOOK,
    **dict.fromkeys((".rst", ".rest"), FileKind.RST),
    **dict.fromkeys((".xlsx", ".xlsm"), FileKind.XLSX),
    ".csv": FileKind.CSV,
    **dict.fromkeys((".tsv", ".tab"), FileKind.TSV),
    **dict.fromkeys((".jsonl", ".ndjson"), FileKind.JSONL),
    ".json": FileKind.JSON,
    **dict.fromkeys((".parquet", ".pq"), FileKind.PARQUET),
}
MEDIA_TYPES = {
    **dict.fromkeys(("text/html", "application/xhtml+xml"), FileKind.HTML),
    **dict.fromkeys(("text/markdown", "text/x-markdown"), FileKind.MARKDOWN),
    "application/pdf": FileKind.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": FileKind.DOCX,
    "application/epub+zip": FileKind.EPUB,
}
# Beginnings of the names of files that archives of these kinds hold.
ARCHIVES = {
    "META-INF/container.xml": FileKind.EPUB,
    "word/": FileKind.DOCX,
    "ppt/": FileKind.PPTX,
    "xl/": FileKind.XLSX,
}
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def find_kind(suffix: str) -> FileKind | None:
    """Return the kind for a file name suffix (".md"), None for an unknown one.

    Raises:
        SourceUsageError: the suffix belongs to a kind that is not supported.
    """
    suffix = suffix.lower()
    if advice := UNSUPPORTED.get(suffix):
        raise SourceUsageError(f"is a {suffix} file, which cannot be read; {advice}")
    return SUFFIXES.get(suffix)


def sniff_kind(data: bytes) -> FileKind | None:
    """Return the kind of a document by its first bytes, None for any text.

    Raises:
        SourceUsageError: the kind is not supported.
    """
    if data.startswith(b"%PDF-"):
        return FileKind.PDF
    if data.startswith(OLE_MAGIC):
        raise SourceUsageError(f"is an old or encrypted Office file; {SAVE_AS_DOCX} without a password")
    if data.startswith(b"PK\x03\x04"):
        return _sniff_archive(data)
    return None


def _sniff_archive(data: bytes) -> FileKind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise UnreadableError("is a damaged zip archive; save it again") from error
    for prefix, kind in ARCHIVES.items():
        if any(name.startswith(prefix) for name in names):
            return kind
    raise SourceUsageError(f"is a zip archive; {UNPACK}")
