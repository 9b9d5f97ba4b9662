"""Detection of a file's kind by its first bytes, where they leave no doubt, whatever its name says."""

from __future__ import annotations

import io
import re
import zipfile
from typing import BinaryIO

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.kinds import OLE_MAGIC, SAVE_AS_DOCX, UNPACK, FileKind
from producer.sources.limits import ReadLimits
from producer.sources.source import READ_SCANS

# Bytes that are enough to know a kind.
HEAD_BYTES = 16
ZIP_MAGIC = b"PK\x03\x04"
PARQUET_MAGIC = b"PAR1"
# Beginnings that no text has, with the kinds that they tell.
MAGIC = {
    b"%PDF-": FileKind.PDF,
    **dict.fromkeys((b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*"), FileKind.PICTURE),
}
# The same of kinds that are not read, with the reason and what to do.
REFUSED_MAGIC = {
    OLE_MAGIC: f"is an old or encrypted Office file; {SAVE_AS_DOCX} without a password",
    **dict.fromkeys(
        (b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"),
        f"is a compressed file; {UNPACK}",
    ),
    b"{\\rtf": f"is an RTF file; {SAVE_AS_DOCX}",
    b"%!PS-Adobe": "is a PostScript file; convert it to PDF",
    b"SQLite format 3\0": "is an SQLite file; export it as CSV or Parquet",
}
# Beginnings of the names of files that archives of these kinds hold.
ARCHIVES = {
    "META-INF/container.xml": FileKind.EPUB,
    "word/": FileKind.DOCX,
    "ppt/": FileKind.PPTX,
    "xl/": FileKind.XLSX,
}
# Kinds whose own readers explain what else a file is.
EXPLAINED = frozenset({FileKind.PDF, FileKind.DOCX, FileKind.EPUB, FileKind.PPTX, FileKind.XLSX, FileKind.PARQUET})

# The header of a message, up to the blank line before what it says.
_HEADER = re.compile(rb"\s*((?:[A-Za-z][A-Za-z-]*:[^\n]*\n(?:[ \t]+\S[^\n]*\n)*)+)\s*\n\s*\S")
_FIELD = re.compile(rb"^(From|To|Date|Subject):", re.MULTILINE | re.IGNORECASE)
# Bytes in which a header ends.
HEADER_BYTES = 16_384
# Fields of a header, at least.
MIN_FIELDS = 3


def sniff_kind(stream: BinaryIO) -> FileKind | None:
    """Return the kind of a file by its content, None for any text.

    Raises:
        SourceUsageError: the kind is not supported.
        UnreadableError: it is a damaged archive.
    """
    head = stream.read(HEAD_BYTES)
    for magic, reason in REFUSED_MAGIC.items():
        if head.startswith(magic):
            raise SourceUsageError(reason)
    if head.startswith(ZIP_MAGIC):
        return _sniff_archive(stream)
    if head.startswith(PARQUET_MAGIC):
        # A text may begin with these letters, too, but not end with them.
        stream.seek(-len(PARQUET_MAGIC), io.SEEK_END)
        return FileKind.PARQUET if stream.read() == PARQUET_MAGIC else None
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def correct_kind(kind: FileKind | None, stream: BinaryIO) -> FileKind | None:
    """Return the kind that the content tells without doubt, else the given one.

    Raises:
        SourceError: the content is of a kind that is not supported, and the given kind's reader would not say so.
    """
    try:
        return sniff_kind(stream) or kind
    except SourceError:
        if kind in EXPLAINED:
            return kind
        raise


def is_message(data: bytes) -> bool:
    """Tell whether a text is a message that was saved as text: it begins with sender, recipient, date or subject."""
    header = _HEADER.match(data[:HEADER_BYTES])
    fields = {field.lower() for field in _FIELD.findall(header[1])} if header else set()
    return b"from" in fields and len(fields) >= MIN_FIELDS


def check_recognition(kind: FileKind | None, limits: ReadLimits) -> None:
    """Refuse a picture unless text recognition is asked for.

    Raises:
        SourceUsageError: it is a picture, and recognition is not asked for.
    """
    if kind is FileKind.PICTURE and not limits.recognize_text:
        raise SourceUsageError(f"is a picture; {READ_SCANS}")


def _sniff_archive(stream: BinaryIO) -> FileKind:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise UnreadableError("is a damaged zip archive; save it again") from error
    for prefix, kind in ARCHIVES.items():
        if any(name.startswith(prefix) for name in names):
            return kind
    raise SourceUsageError(f"is a zip archive; {UNPACK}")
