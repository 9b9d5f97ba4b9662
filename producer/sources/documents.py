"""Reader of one document: detects its kind and converts its bytes to content, within the limits."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import BinaryIO

from producer.errors import LimitError, SourceUsageError, UnreadableError
from producer.sources.decoding import decode_text, find_declared_charset
from producer.sources.html import is_html
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.sandbox import Sandbox
from producer.sources.sniffing import check_recognition, correct_kind, is_message
from producer.sources.source import Content
from producer.sources.text import normalize_text, read_markdown, read_plain_text, read_unknown_text

# Kinds whose parsers take bytes; the others are decoded first.
PARSED_BYTES = frozenset({FileKind.PDF, FileKind.DOCX, FileKind.EPUB, FileKind.MAIL, FileKind.PPTX, FileKind.PICTURE})
# Kinds whose parsers take text.
PARSED_TEXT = frozenset({FileKind.HTML, FileKind.SUBTITLES, FileKind.NOTEBOOK, FileKind.RST})


def read_file(path: Path, kind: FileKind | None, *, sandbox: Sandbox, limits: ReadLimits) -> Content:
    """Return the content of a document file.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
    """
    return read_document(read_bytes(path, limits), kind, sandbox=sandbox, limits=limits)


def read_stdin(*, sandbox: Sandbox, limits: ReadLimits) -> Content:
    """Return the document on standard input.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
    """
    data = _read_bounded(sys.stdin.buffer, limits.file_bytes)
    return read_document(data, None, sandbox=sandbox, limits=limits)


def read_bytes(path: Path, limits: ReadLimits) -> bytes:
    """Return the bytes of a file.

    Raises:
        UnreadableError: the operating system refuses access.
        LimitError: the file is too large.
    """
    try:
        with path.open("rb") as stream:
            return _read_bounded(stream, limits.file_bytes)
    except OSError as error:
        raise explain_os_error(error) from error


def read_document(
    data: bytes, kind: FileKind | None, *, sandbox: Sandbox, limits: ReadLimits, charset: str | None = None
) -> Content:
    """Return the content of a document.

    Args:
        data: bytes of the document.
        kind: kind of the document by its name; None if that tells none. The content may tell another one.
        sandbox: runs the parser.
        limits: limits of reading.
        charset: encoding named by an HTTP header.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
    """
    if not data.strip():
        raise UnreadableError("is empty; give a file with text in it")
    kind = correct_kind(kind, io.BytesIO(data))
    kind = FileKind.MAIL if kind in (None, FileKind.TEXT) and is_message(data) else kind
    check_recognition(kind, limits)
    if kind is not None and kind.is_table:
        raise SourceUsageError(f"is a table ({kind}); save it as a file, whose rows are documents")
    if kind in PARSED_BYTES:
        content = sandbox.convert(kind, data)
    else:
        text = decode_text(data, declared=charset or find_declared_charset(data))
        content = read_text(text, kind, sandbox)
    return check_content(content, limits)


def read_text(text: str, kind: FileKind | None, sandbox: Sandbox) -> Content:
    """Return decoded text as content; without a kind, HTML is detected.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
    """
    if kind is FileKind.MARKDOWN:
        return read_markdown(text)
    if kind is FileKind.TEXT:
        return read_plain_text(text)
    if kind is None and is_html(text):
        kind = FileKind.HTML
    if kind in PARSED_TEXT:
        return sandbox.convert(kind, normalize_text(text).encode())
    return read_unknown_text(text)


def check_content(content: Content, limits: ReadLimits) -> Content:
    """Return the content if it is neither empty nor too long.

    Raises:
        UnreadableError: it has no letter and no digit.
        LimitError: it has too many characters.
    """
    if not any(map(str.isalnum, content.text)):
        raise UnreadableError("holds no visible text; give a document with text in it")
    if len(content.text) > limits.text_chars:
        raise LimitError(f"has {len(content.text):,} characters, more than the {limits.text_chars:,} allowed; split it")
    return content


def explain_os_error(error: OSError) -> UnreadableError | SourceUsageError:
    """Translate an error of the operating system about a path to a source error."""
    if isinstance(error, FileNotFoundError):
        return SourceUsageError("does not exist; check the path")
    if isinstance(error, PermissionError):
        return UnreadableError("may not be read by this user; change its permissions")
    return UnreadableError(f"cannot be read ({error.strerror or error}); check the path and the disk")


def _read_bounded(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size + 1)
    if len(data) > size:
        raise LimitError(f"is larger than the {format_bytes(size)} allowed; split it")
    return data
