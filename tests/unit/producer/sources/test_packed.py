"""PDF, DOCX and EPUB: what is in them comes out, and what attacks through them is refused."""

import zlib

import pytest

from producer.errors import LimitError, UnreadableError
from producer.sources import ReadLimits
from producer.sources.kinds import FileKind
from producer.sources.packed import read_docx, read_epub, read_pdf
from producer.sources.sandbox import Sandbox
from tests.unit.producer.sources.made_files import BILLION_LAUGHS, make_docx, make_epub, make_pdf, make_zip

LIMITS = ReadLimits()


def test_a_pdf_gives_its_pages_in_order_and_its_title() -> None:
    content = read_pdf(make_pdf("First page", "Second page"), LIMITS)
    assert content.text.split() == ["First", "page", "Second", "page"]
    assert (content.format, content.title, content.metadata) == ("text", "Pump report", {"author": "A. Writer"})


def test_a_docx_gives_markdown_without_escapes_and_its_title() -> None:
    content = read_docx(make_docx(), LIMITS)
    assert content.text == "# Findings *here*\n\nThe pump_rate fell by 12 percent."
    assert (content.format, content.title, content.metadata) == ("markdown", "Pump report", {"creator": "A. Writer"})


def test_an_epub_gives_its_chapters_in_reading_order_and_its_title() -> None:
    content = read_epub(make_epub(), LIMITS)
    assert content.title == "Two chapters"
    assert content.text.index("# The beginning\n\nIt rained.") < content.text.index("# The end\n\nSee the **map**.")


def test_an_encrypted_pdf_is_refused() -> None:
    with pytest.raises(UnreadableError, match="is encrypted; save a copy without a password"):
        read_pdf(make_pdf("a", encrypted=True), LIMITS)


def test_an_encrypted_docx_is_refused() -> None:
    with pytest.raises(UnreadableError, match="is encrypted"):
        read_docx(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), LIMITS)


def test_a_pdf_without_text_asks_for_text_recognition() -> None:
    with pytest.raises(UnreadableError, match="OCR"):
        read_pdf(make_pdf(""), LIMITS)


def test_a_pdf_with_too_many_pages_is_refused() -> None:
    with pytest.raises(LimitError, match="has more than 2 pages"):
        read_pdf(make_pdf("a", "b", "c"), ReadLimits(pages=2))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (make_docx(extra=bytes(20_000_000)), ReadLimits(unpacked_bytes=10_000_000)),
        (make_zip({f"{number}.xml": "" for number in range(50)}), ReadLimits(zip_entries=20)),
    ],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(data: bytes, limits: ReadLimits) -> None:
    with pytest.raises(LimitError, match="unpacks to"):
        read_docx(data, limits)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_entities_are_refused(encoding: str) -> None:
    attack = BILLION_LAUGHS.replace("1.0'?", f"1.0' encoding='{encoding}'?").encode(encoding)
    with pytest.raises(UnreadableError, match="declares XML entities"):
        read_docx(make_docx(document=attack), LIMITS)


def test_a_zip_of_another_kind_is_refused() -> None:
    with pytest.raises(UnreadableError, match=r"lacks word/document\.xml"):
        read_docx(make_zip({"a.txt": "a"}), LIMITS)


@pytest.mark.parametrize("kind", [FileKind.PDF, FileKind.DOCX, FileKind.EPUB])
def test_a_corrupted_file_is_a_clear_error(kind: FileKind, sandbox: Sandbox) -> None:
    with pytest.raises(UnreadableError, match=f"is not a readable {kind} file"):
        sandbox.convert(kind, b"%PDF-1.4 PK\x03\x04 nothing behind it")


def test_a_pdf_that_unpacks_to_too_much_is_refused() -> None:
    stream = zlib.compress(bytes(400_000_000), 1)
    bomb = make_pdf("x").replace(
        b"<< /Length 32 >>\nstream\nBT /F1 12 Tf 72 720 Td (x) Tj ET",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream) + stream,
    )
    assert len(bomb) > len(stream)
    with Sandbox(ReadLimits(conversion_bytes=700_000_000)) as sandbox, pytest.raises(LimitError, match="of memory"):
        sandbox.convert(FileKind.PDF, bomb)
