"""Kinds of files, and their detection by the suffix of a name."""

from __future__ import annotations

from enum import StrEnum

from producer.errors import SourceUsageError

SAVE_AS_DOCX = "save it as .docx or PDF"
RUN_OCR = "run text recognition (OCR) on it first"
UNPACK = "unpack it first"
# Advice by the suffix of frequent but unsupported kinds.
UNSUPPORTED = {
    **dict.fromkeys((".doc", ".odt", ".rtf", ".pages", ".wpd", ".mobi", ".azw3", ".fb2", ".wps"), SAVE_AS_DOCX),
    **dict.fromkeys((".ppt", ".odp", ".key"), "save it as .pptx or PDF"),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), "export it as CSV or .xlsx"),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".avro", ".sqlite", ".db", ".pkl"), "export it as CSV or Parquet"),
    **dict.fromkeys((".gif", ".djvu", ".heic", ".svg"), RUN_OCR),
    **dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz"), UNPACK),
    **dict.fromkeys((".tex", ".ltx"), "compile it to PDF, or convert it to Markdown with pandoc"),
    **dict.fromkeys((".xml", ".tei", ".dbk"), "convert it to HTML or Markdown, because its tags are no text"),
    **dict.fromkeys((".ps", ".eps"), "convert it to PDF"),
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
    PICTURE = "picture"

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
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), FileKind.PICTURE),
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
