"""Bytes to text in the encodings that files really have."""

import codecs
import io

import pytest

from producer.errors import UnreadableError
from producer.sources import decoding
from producer.sources.decoding import decode_text, find_declared_charset, find_encoding

FRENCH = "L'été dernier, le café était fermé à cause des travaux. Où êtes-vous allés ? « Là-bas », dit-il."
RUSSIAN = "Прошлым летом мы поехали в деревню, где жили наши друзья и их большая собака."
POLISH = "W zeszłym roku też pojechaliśmy na wieś, gdzie mieszkali nasi przyjaciele i ich duży pies."
SPANISH = "¿Qué hiciste el año pasado? Fuimos al pueblo donde vivían nuestros amigos con su perro, ¡tan pequeño!"
JAPANESE = "昨年の夏、私たちは小さな村へ行きました。そこには友人と大きな犬が住んでいました。"
QUOTES = "The “curly quotes” — and the long dash — are common: €5, isn\u2019t it? Yes, in English text files."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-32"),
        (FRENCH, "cp1252"),
        (QUOTES, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (POLISH, "cp1250"),
        (SPANISH, "cp1252"),
        ("Die Straße führt über grüne Hügel.", "cp1252"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        ("café", "cp1252"),
    ],
)
def test_the_encoding_is_detected(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


def test_lines_of_ascii_do_not_blur_the_detection() -> None:
    text = f"plain ascii line\n{JAPANESE}\n" * 200
    assert decode_text(text.encode("euc_jp")) == text


def test_a_file_larger_than_the_sample_is_decoded() -> None:
    text = f"x{JAPANESE}\n" * 15_000
    data = text.encode("shift_jis")
    assert len(data) > decoding.CHUNK_BYTES
    assert decode_text(data) == text


def test_a_declared_encoding_is_used_where_the_bytes_are_not_utf_8() -> None:
    assert decode_text("Zażółć".encode("iso8859-2"), declared="iso-8859-2") == "Zażółć"
    assert decode_text("Zażółć".encode(), declared="iso-8859-2") == "Zażółć"


def test_latin_1_is_read_as_windows_1252_like_in_browsers() -> None:
    assert decode_text("“a”".encode("cp1252"), declared="latin-1") == "“a”"


@pytest.mark.parametrize("declared", ["punycode", "rot13", "utf-99", "ascii"])
def test_a_declared_encoding_that_does_not_fit_is_ignored(declared: str) -> None:
    assert decode_text("café au lait".encode("cp1252"), declared=declared) == "café au lait"


@pytest.mark.parametrize("data", [b"a\0b", bytes(range(1, 32)) * 10, b"\x89PNG\r\n\x1a\n\0\0"])
def test_binary_content_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="is binary, not text"):
        decode_text(data)


@pytest.mark.parametrize(
    "data", [FRENCH.encode() + b"\xe3\x81", RUSSIAN.encode()[:40] + b"\xff" + RUSSIAN.encode()[40:]]
)
def test_damaged_utf_8_is_refused_rather_than_garbled(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="damaged or cut-off"):
        decode_text(data)


def test_bytes_in_no_encoding_are_refused() -> None:
    with pytest.raises(UnreadableError, match="is not text in any known encoding"):
        decode_text(codecs.BOM_UTF16_LE + b"\x00\xd8")


def test_a_large_stream_is_checked_to_its_end_and_rewound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 7)
    stream = io.BytesIO(b"plain ascii text and then " + FRENCH.encode("cp1252"))
    assert find_encoding(stream) == "cp1252"
    assert stream.tell() == 0
    assert find_encoding(io.BytesIO(JAPANESE.encode())) == "utf-8"


def test_the_declaration_is_found_in_meta_tags_and_xml() -> None:
    assert find_declared_charset(b'<meta charset="koi8-r">') == "koi8-r"
    assert find_declared_charset(b"<?xml version='1.0' encoding='iso-8859-2'?>") == "iso-8859-2"
    assert find_declared_charset(b"<p>text</p>") is None


@pytest.mark.parametrize("encoding", ["iso2022_jp", "iso2022_kr"])
def test_an_encoding_that_switches_character_sets_is_found(encoding: str) -> None:
    text = "新しい橋" if encoding.endswith("jp") else "새 다리"
    assert decode_text(text.encode(encoding)) == text
    assert decode_text(f"plain {text}".encode(encoding), declared="iso-2022-jp") == f"plain {text}"


def test_hz_is_read_where_it_is_declared() -> None:
    assert decode_text("桥".encode("hz"), declared="hz-gb-2312") == "桥"
    assert decode_text(b"~{ is a brace") == "~{ is a brace"


def test_the_colours_of_a_terminal_switch_no_encoding() -> None:
    assert decode_text(b"\x1b[31mred\x1b(B") == "\x1b[31mred\x1b(B"


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("gb2312", "gb18030", "朱镕基"),
        ("shift_jis", "cp932", "①番"),
        ("euc-kr", "cp949", "뷁"),
        ("iso-8859-9", "cp1254", "“İ”"),
        ("x-sjis", "cp932", "港の記録"),
    ],
)
def test_a_declared_encoding_is_as_wide_as_in_browsers(declared: str, encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding), declared=declared) == text


def test_the_encoding_of_a_script_is_not_the_page_s() -> None:
    page = b'<script src="x.js" charset="windows-1252"></script><meta content="text/html; charset=koi8-r">'
    assert find_declared_charset(page) == "koi8-r"
    assert find_declared_charset(b'<script charset="utf-8"></script>') is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_found(encoding: str) -> None:
    assert decode_text("The pump stopped.\n".encode(encoding)) == "The pump stopped.\n"


def test_hebrew_is_not_taken_for_russian() -> None:
    text = "הגשר החדש נפתח במרץ. האנשים שמחים."
    assert decode_text(text.encode("cp1255")) == text


def test_thai_is_detected() -> None:
    text = "สะพานใหม่เปิดในเดือนมีนาคม ใช้เวลาสร้างสี่ปี"
    assert decode_text(text.encode("cp874")) == text


def test_two_damaged_bytes_in_a_short_text_make_it_no_windows_1252() -> None:
    with pytest.raises(UnreadableError, match="damaged or cut-off"):
        decode_text("Café Müller, naïve œuvre".encode() + b"\xff\xfe end")
