"""Decoding of bytes: by byte order mark, strict UTF-8, the declared encoding, then detection, in this order."""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from producer.errors import UnreadableError

# UTF-32 before UTF-16, whose little-endian mark is a prefix of UTF-32's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes per read; also the size of the sample for detection.
CHUNK_BYTES = 1 << 20
# Share of zero bytes in a text of Latin letters in UTF-16, at one of the two places of each character.
UTF16_SHARE = 0.3
# Control characters that are not in texts, so without tab, line ends, form feed, and shifts and escape (ISO-2022).
CONTROL_BYTES = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 14, 15, 27})
# Maximum share of control characters in a text with a few stray ones; above it a file is binary.
BINARY_SHARE = 0.02
# Families of codecs that a document may declare; Python has others that are slow or not for text.
DECLARABLE = re.compile(r"(utf|iso|windows|cp\d|koi8|gb|big5|euc|shift|sjis|tis|mac|latin|ascii|us-ascii|hz)", re.I)
DECLARED_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.I)
# The declaration itself; scripts and links may name the encodings of other files.
DECLARATION = re.compile(rb"<(?:meta|\?xml)\b[^<>]{0,1000}", re.I)
# Wider encodings that browsers take for what is declared (WHATWG Encoding Standard), by Python's names.
WIDER = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
# Labels that Python does not know.
LABELS = {"x-sjis": "cp932", "windows-31j": "cp932", "x-gbk": "gb18030", "x-euc-jp": "euc_jp", "windows-949": "cp949",
          "x-mac-cyrillic": "mac_cyrillic", "ks_c_5601-1987": "cp949", "x-x-big5": "big5hkscs"}  # fmt: skip
# Encodings of seven bits that switch between character sets, by the sequences that switch.
SWITCHING = ((re.compile(rb"\x1b(?:\$[@B]|\([JI])"), "iso2022_jp_ext"), (re.compile(rb"\x1b\$\)C"), "iso2022_kr"))
# Encodings of files that are not UTF-8, likeliest first; the order breaks ties.
LEGACY_ENCODINGS = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp874", "mac_roman",
]  # fmt: skip
# Minimum ratio of valid to invalid characters in damaged UTF-8; in texts of other encodings few pass for valid.
GOOD_PER_BAD = 1
# Hebrew uses no other bytes than these 27 for letters; texts of other alphabets have capitals or accents.
HEBREW = re.compile(rb"[\x00-\x7f\x91-\x97\xa0-\xbb\xe0-\xfa]*")
HEBREW_LETTERS = bytes(range(0xE0, 0xFB))
MIN_HEBREW_LETTERS = 20
# Letters and marks of Western European text. Cyrillic and Greek decoded as windows-1252 give runs of three or more,
# other Latin alphabets give other characters.
WESTERN = "àâäáåæçèéêëîïíñòóôöøœùûüúßÀÂÄÅÆÇÈÉÊÖØŒÜÑ“”„‘’‚«»‹›–—…•·°§€£™®©\xa0¡½"  # noqa: RUF001 - quotes are meant
NOT_WESTERN = re.compile(f"[^\\x00-\\x7f{WESTERN}]|[{WESTERN}]{{3}}")
# Bytes that may hold an HTML document's declaration of its encoding.
DECLARATION_BYTES = 4096
SUPPORTED = "give a text, HTML, Markdown, PDF, DOCX or EPUB file"


def decode_text(data: bytes, *, declared: str | None = None) -> str:
    """Return the text of some bytes.

    Args:
        data: the whole document.
        declared: encoding named by an HTTP header or the document, used if the bytes are not UTF-8.

    Raises:
        UnreadableError: the bytes are not text.
    """
    encoding = find_encoding(io.BytesIO(data), declared=declared)
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise undecodable() from error


def find_encoding(stream: BinaryIO, *, declared: str | None = None) -> str:
    """Return the encoding of a seekable stream and rewind it; reads all of it in constant memory.

    Raises:
        UnreadableError: the stream is binary or in no known encoding.
    """
    if mark := find_byte_order_mark(stream) or find_utf16(stream):
        return mark
    sample = find_invalid_utf8(stream)
    stream.seek(0)
    return find_switching_encoding(stream, declared) or "utf-8" if sample is None else detect_encoding(sample, declared)


def find_switching_encoding(stream: BinaryIO, declared: str | None = None) -> str | None:
    """Return the encoding of seven bits that a stream is in, such as ISO-2022-JP, else None; rewind it."""
    sample = stream.read(CHUNK_BYTES)
    stream.seek(0)
    found = next((encoding for sequence, encoding in SWITCHING if sequence.search(sample)), None)
    if found is None and declared and declared.lower() in {"hz-gb-2312", "hz"} and b"~{" in sample:
        found = "hz"
    return found if found and _can_decode(sample, found) else None


def find_byte_order_mark(stream: BinaryIO) -> str | None:
    """Return the encoding that the first bytes of a stream name, None if they are no mark; rewind it."""
    head = stream.read(4)
    stream.seek(0)
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def find_utf16(stream: BinaryIO) -> str | None:
    """Return the encoding of a stream in UTF-16 without a mark, None for any other; rewind it."""
    head = stream.read(DECLARATION_BYTES)
    stream.seek(0)
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        is_zero = head[start::2].count(0) > UTF16_SHARE * len(head) / 2
        if is_zero and len(head) % 2 == 0 and not has_binary(head[1 - start :: 2]):
            return encoding
    return None


def find_declared_charset(data: bytes) -> str | None:
    """Return the encoding that an HTML or XHTML document declares, None if it declares none."""
    head = data[:DECLARATION_BYTES]
    declared = (DECLARED_CHARSET.search(match[0]) for match in DECLARATION.finditer(head))
    match = next(filter(None, declared), None)
    return match[1].decode("ascii", "replace") if match else None


def undecodable() -> UnreadableError:
    """Return the error for bytes that no encoding fits."""
    return UnreadableError("is not text in any known encoding; save it as UTF-8")


def find_invalid_utf8(stream: BinaryIO) -> bytes | None:
    """Return the first chunk that is not UTF-8, None if there is none.

    Raises:
        UnreadableError: the stream is binary.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    invalid = None
    last = b""
    while chunk := stream.read(CHUNK_BYTES):
        if has_binary(chunk):
            raise UnreadableError(f"is binary, not text; {SUPPORTED}")
        last = chunk
        if invalid is None:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                invalid = chunk
    is_cut = invalid is None and decoder.getstate()[0]
    return last if is_cut else invalid


def has_binary(chunk: bytes) -> bool:
    """Return True for bytes that no text holds: NUL, or many control characters."""
    controls = _count_bytes(chunk, CONTROL_BYTES)
    return b"\0" in chunk or controls > BINARY_SHARE * len(chunk)


def detect_encoding(sample: bytes, declared: str | None) -> str:
    """Return the encoding of bytes that are not UTF-8.

    Raises:
        UnreadableError: they are damaged UTF-8, or in no known encoding.
    """
    if declared and _can_decode(sample, declared):
        return _widen(declared)
    _check_damaged_utf8(sample)
    # Lines of plain ASCII would dilute the statistics.
    distinctive = b"\n".join(line for line in _split_whole_lines(sample) if not line.isascii())
    if _is_western(distinctive):
        return "cp1252"
    if HEBREW.fullmatch(distinctive) and _count_bytes(distinctive, HEBREW_LETTERS) >= MIN_HEBREW_LETTERS:
        return "cp1255"
    from charset_normalizer import from_bytes

    matches = from_bytes(distinctive, cp_isolation=LEGACY_ENCODINGS)
    best = matches.best()
    if best is None:
        raise undecodable()
    ties = [match for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    candidates = {encoding for match in ties for encoding in match.could_be_from_charset}
    return min(candidates & set(LEGACY_ENCODINGS), key=LEGACY_ENCODINGS.index)


def _count_bytes(sample: bytes, wanted: bytes) -> int:
    return len(sample) - len(sample.translate(None, wanted))


def _split_whole_lines(sample: bytes) -> list[bytes]:
    """Return the complete lines of a sample; a chunk from the middle of a file has partial ones at its ends."""
    lines = sample.splitlines()
    return lines[1:-1] if len(sample) == CHUNK_BYTES and len(lines) > 2 else lines


def _is_western(sample: bytes) -> bool:
    """Return True for windows-1252; statistical detection fails on a text with only a few quotes and dashes."""
    try:
        return NOT_WESTERN.search(sample.decode("cp1252")) is None
    except UnicodeDecodeError:
        return False


def _check_damaged_utf8(sample: bytes) -> None:
    """Reject UTF-8 with a few invalid bytes: decoding it as another encoding would garble the valid characters."""
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(not character.isascii() for character in text) - bad
    if good >= GOOD_PER_BAD * bad:
        raise UnreadableError("is UTF-8 with damaged or cut-off characters; save it again as UTF-8")


def _can_decode(sample: bytes, declared: str) -> bool:
    if not DECLARABLE.match(declared) and declared.lower() not in LABELS:
        return False
    try:
        # Incremental, because the sample may end within a multi-byte character.
        codecs.getincrementaldecoder(_widen(declared))().decode(sample)
    except (LookupError, UnicodeError):
        return False
    return True


def _widen(declared: str) -> str:
    """Return the encoding that browsers take for a declared one: windows-1252 for Latin-1."""
    label = LABELS.get(declared.lower(), declared)
    return WIDER.get(codecs.lookup(label).name, label)
