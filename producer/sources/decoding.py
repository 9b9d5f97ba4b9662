"""Turns bytes into text: byte order mark, then strict UTF-8, then what the document declares, then detection."""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from producer.errors import UnreadableError

# The UTF-32 marks come first: UTF-16's little-endian mark is a prefix of UTF-32's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes looked at in one go; also the sample that detection works on.
CHUNK_BYTES = 1 << 20
# Control characters that no text has; tab, line ends, form feed and escape (ISO-2022) are not among them.
CONTROL_BYTES = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 27})
# Above this share of control characters a file is binary, not a text with a few stray ones.
BINARY_SHARE = 0.02
# A document may declare any codec that Python knows, some of them slow or not for text: only these families count.
DECLARABLE = re.compile(r"(utf|iso|windows|cp\d|koi8|gb|big5|euc|shift|sjis|tis|mac|latin|ascii|us-ascii)", re.I)
DECLARED_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.I)
# What files that are not UTF-8 are encoded in, likeliest first: the order decides between equally good guesses.
LEGACY_ENCODINGS = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp932", "euc_jp", "gb18030", "big5", "cp949", "mac_roman",
]  # fmt: skip
# This many good characters for each bad one make a file damaged UTF-8 rather than another encoding.
GOOD_PER_BAD = 4
# Letters and marks of Western European text, and how many of them may follow each other: Cyrillic and Greek read as
# windows-1252 give longer runs, other Latin alphabets give other characters.
WESTERN = "àâäáåæçèéêëîïíñòóôöøœùûüúßÀÂÄÅÆÇÈÉÊÖØŒÜÑ“”„‘’‚«»‹›–—…•·°§€£™®©\xa0¡½"  # noqa: RUF001 - quotes are meant
NOT_WESTERN = re.compile(f"[^\\x00-\\x7f{WESTERN}]|[{WESTERN}]{{3}}")
# Bytes in which HTML has to declare its encoding.
DECLARATION_BYTES = 4096


def decode_text(data: bytes, *, declared: str | None = None) -> str:
    """Return the text of some bytes.

    Args:
        data: the whole document.
        declared: the encoding that an HTTP header or the document itself names, used if it is not UTF-8.

    Raises:
        UnreadableError: the bytes are not text.
    """
    encoding = find_encoding(io.BytesIO(data), declared=declared)
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise undecodable() from error


def find_encoding(stream: BinaryIO, *, declared: str | None = None) -> str:
    """Return the encoding of a seekable stream, reading all of it in constant memory, and rewind it.

    Raises:
        UnreadableError: the stream is binary or in no known encoding.
    """
    head = stream.read(4)
    stream.seek(0)
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    sample = _find_invalid_utf8(stream)
    stream.seek(0)
    return "utf-8" if sample is None else _detect_encoding(sample, declared)


def find_declared_charset(data: bytes) -> str | None:
    """Return the encoding that an HTML or XHTML document names in its first bytes."""
    match = DECLARED_CHARSET.search(data[:DECLARATION_BYTES])
    return match[1].decode("ascii") if match else None


def undecodable() -> UnreadableError:
    """Return the error for bytes that no encoding fits."""
    return UnreadableError("is not text in any known encoding; save it as UTF-8")


def _find_invalid_utf8(stream: BinaryIO) -> bytes | None:
    """Return the first chunk that is not UTF-8, or None; binary content is an error."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    invalid = None
    last = b""
    while chunk := stream.read(CHUNK_BYTES):
        _check_binary(chunk)
        last = chunk
        if invalid is None:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                invalid = chunk
    is_cut = invalid is None and decoder.getstate()[0]
    return last if is_cut else invalid


def _check_binary(chunk: bytes) -> None:
    controls = len(chunk) - len(chunk.translate(None, CONTROL_BYTES))
    if b"\0" in chunk or controls > BINARY_SHARE * len(chunk):
        raise UnreadableError("is binary, not text; give a text, HTML, Markdown, PDF, DOCX or EPUB file")


def _detect_encoding(sample: bytes, declared: str | None) -> str:
    if declared and _can_decode(sample, declared):
        return _widen_latin_1(declared)
    _check_damaged_utf8(sample)
    # Lines of plain ASCII say nothing about the encoding and blur the statistics.
    telling = b"\n".join(line for line in _split_whole_lines(sample) if not line.isascii())
    if _is_western(telling):
        return "cp1252"
    from charset_normalizer import from_bytes

    matches = from_bytes(telling, cp_isolation=LEGACY_ENCODINGS)
    best = matches.best()
    if best is None:
        raise undecodable()
    ties = [match for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    candidates = {encoding for match in ties for encoding in match.could_be_from_charset}
    return min(candidates & set(LEGACY_ENCODINGS), key=LEGACY_ENCODINGS.index)


def _split_whole_lines(sample: bytes) -> list[bytes]:
    """Return the lines of a sample; a chunk from the middle of a file begins and ends with a torn one."""
    lines = sample.splitlines()
    return lines[1:-1] if len(sample) == CHUNK_BYTES and len(lines) > 2 else lines


def _is_western(sample: bytes) -> bool:
    """Return True for windows-1252: detection weighs words, and a few quotes and dashes are too little for it."""
    try:
        return NOT_WESTERN.search(sample.decode("cp1252")) is None
    except UnicodeDecodeError:
        return False


def _check_damaged_utf8(sample: bytes) -> None:
    """Refuse UTF-8 with a few bad bytes: any other encoding would garble all its good characters in silence."""
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(not character.isascii() for character in text) - bad
    if good >= GOOD_PER_BAD * bad:
        raise UnreadableError("is UTF-8 with damaged or cut-off characters; save it again as UTF-8")


def _can_decode(sample: bytes, declared: str) -> bool:
    if not DECLARABLE.match(declared):
        return False
    try:
        # A multi-byte character may be cut at the end of the sample, so its last bytes do not count.
        codecs.getincrementaldecoder(_widen_latin_1(declared))().decode(sample)
    except (LookupError, UnicodeError):
        return False
    return True


def _widen_latin_1(declared: str) -> str:
    """Return windows-1252 for Latin-1, as every browser does: its extra characters are what authors meant."""
    return "cp1252" if codecs.lookup(declared).name == "iso8859-1" else declared
