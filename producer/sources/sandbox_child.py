"""Main program of the sandbox's child process: limits its memory, then converts documents until its input ends."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import sys
from typing import IO

from producer.errors import LimitError, SourceError, UnreadableError
from producer.sources.html import normalize_html
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.sandbox import read_frame, write_frame
from producer.sources.source import Content

FRAMESET = re.compile(r"<frameset\b", re.I)


def main() -> None:
    """Serve the parent process over standard input and output."""
    limits = ReadLimits(**json.loads(sys.argv[1]))
    # Ctrl-C reaches the whole process group, but only the parent ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(limits.conversion_bytes)
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    # Keep the output of libraries out of the replies.
    sys.stdout = sys.stderr
    write_frame(replies, b"ready")
    serve(requests, replies, limits)


def limit_memory(size: int) -> None:
    """Limit the address space to ``size`` bytes, if the operating system supports it."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def serve(requests: IO[bytes], replies: IO[bytes], limits: ReadLimits) -> None:
    """Answer every pair of frames (kind, data) with one frame of JSON."""
    while (kind := read_frame(requests)) is not None and (data := read_frame(requests)) is not None:
        write_frame(replies, json.dumps(answer(FileKind(kind.decode()), data, limits)).encode())


def answer(kind: FileKind, data: bytes, limits: ReadLimits) -> dict[str, object]:
    """Return the converted document, or the error, as JSON fields."""
    try:
        return dataclasses.asdict(convert_safely(kind, data, limits))
    except SourceError as error:
        return {"error": type(error).__name__, "message": str(error)}


def convert_safely(kind: FileKind, data: bytes, limits: ReadLimits) -> Content:
    """Convert a document; every exception of its parser becomes a ``SourceError``."""
    try:
        return convert(kind, data, limits)
    except SourceError:
        raise
    except MemoryError as error:
        size = format_bytes(limits.conversion_bytes)
        raise LimitError(f"takes more than {size} of memory to convert; split it") from error
    except Exception as error:
        # Parsers raise any exception on hostile bytes.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UnreadableError(f"is not a readable {kind} file ({reason}); save it again or as another kind") from error


def convert(kind: FileKind, data: bytes, limits: ReadLimits) -> Content:
    """Return the content of one document; text must be encoded as UTF-8.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
        Exception: any error of the parser.
    """
    # A parser is imported when a document needs it: together they would take seconds.
    match kind:
        case FileKind.PDF:
            from producer.sources.formats.pdf import read_pdf

            return read_pdf(data, limits)
        case FileKind.DOCX:
            from producer.sources.formats.docx import read_docx

            return read_docx(data, limits)
        case FileKind.EPUB:
            from producer.sources.formats.epub import read_epub

            return read_epub(data, limits)
        case FileKind.PPTX:
            from producer.sources.formats.pptx import read_pptx

            return read_pptx(data, limits)
        case FileKind.XLSX:
            from producer.sources.formats.xlsx import read_xlsx

            return read_xlsx(data, limits)
        case FileKind.PARQUET:
            from producer.sources.formats.parquet import read_parquet

            return read_parquet(data)
        case FileKind.PICTURE:
            from producer.sources.formats.pictures import read_picture

            return read_picture(data, limits)
        case FileKind.MAIL:
            from producer.sources.formats.mail import read_mail

            return read_mail(data)
    return convert_text(kind, data.decode())


def convert_text(kind: FileKind, text: str) -> Content:
    """Return the content of a document whose parser takes text.

    Raises:
        SourceError: it cannot be read.
        Exception: any error of the parser.
    """
    match kind:
        case FileKind.HTML:
            return _read_page(text)
        case FileKind.SUBTITLES:
            from producer.sources.formats.subtitles import read_subtitles

            return read_subtitles(text)
        case FileKind.NOTEBOOK:
            from producer.sources.formats.notebook import read_notebook

            return read_notebook(text)
        case FileKind.RST:
            from producer.sources.formats.rst import read_rst

            return read_rst(text)
    raise AssertionError(f"{kind} needs no parser")


def _read_page(html: str) -> Content:
    content = normalize_html(html)
    if not any(map(str.isalnum, content.text)) and FRAMESET.search(html):
        raise UnreadableError("holds frames alone, no text; save the page of each frame")
    if "<script" in html and not any(map(str.isalnum, content.text)):
        raise UnreadableError("holds no text until a script runs; open it in a browser and save it from there")
    return content


if __name__ == "__main__":
    main()
