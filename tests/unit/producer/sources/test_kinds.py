"""What kind of document a file is."""

import io

import pytest

from producer.errors import SourceUsageError
from producer.sources.kinds import FileKind, find_kind
from producer.sources.sniffing import correct_kind, sniff_kind
from tests.unit.producer.sources.made_files import make_docx, make_epub, make_pdf, make_xlsx, make_zip
from tests.unit.producer.sources.made_slides import make_pptx


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".HTM", FileKind.HTML),
        (".md", FileKind.MARKDOWN),
        (".rst", FileKind.RST),
        (".ndjson", FileKind.JSONL),
        (".unknown", None),
    ],
)
def test_the_suffix_tells_the_kind(suffix: str, kind: FileKind | None) -> None:
    assert find_kind(suffix) is kind


@pytest.mark.parametrize(
    ("suffix", "advice"),
    [
        (".doc", "save it as .docx"),
        (".ods", "export it as CSV"),
        (".tex", "compile it to PDF"),
        (".msg", "as .eml"),
        (".GIF", "OCR"),
        (".xml", "convert it to HTML or Markdown"),
        (".gz", "unpack"),
    ],
)
def test_an_unsupported_kind_says_what_to_do(suffix: str, advice: str) -> None:
    with pytest.raises(SourceUsageError, match=advice):
        find_kind(suffix)


def test_the_first_bytes_tell_the_kind() -> None:
    assert sniff_kind(io.BytesIO(make_pdf("a"))) is FileKind.PDF
    assert sniff_kind(io.BytesIO(make_docx())) is FileKind.DOCX
    assert sniff_kind(io.BytesIO(make_epub())) is FileKind.EPUB
    assert sniff_kind(io.BytesIO(make_pptx(""))) is FileKind.PPTX
    assert sniff_kind(io.BytesIO(make_xlsx([["text"]]))) is FileKind.XLSX
    assert sniff_kind(io.BytesIO(b"any text")) is None


@pytest.mark.parametrize("data", [make_zip({"a.txt": "a"}), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old office file"])
def test_archives_and_old_office_files_are_refused(data: bytes) -> None:
    with pytest.raises(SourceUsageError, match=r"unpack it first|old or encrypted Office file"):
        sniff_kind(io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"\x1f\x8b\x08\0", "is a compressed file; unpack it first"),
        (b"{\\rtf1 It rained.}", "is an RTF file; save it as .docx or PDF"),
        (b"%!PS-Adobe-3.0\n", "is a PostScript file; convert it to PDF"),
    ],
)
@pytest.mark.parametrize("kind", [None, FileKind.TEXT, FileKind.HTML, FileKind.CSV])
def test_what_is_no_text_is_refused_by_what_it_is(name: bytes, reason: str, kind: FileKind | None) -> None:
    with pytest.raises(SourceUsageError, match=reason):
        correct_kind(kind, io.BytesIO(name))


@pytest.mark.parametrize("kind", [None, FileKind.TEXT, FileKind.MARKDOWN, FileKind.HTML, FileKind.MAIL, FileKind.DOCX])
def test_a_file_of_a_wrong_name_is_what_its_content_is(kind: FileKind | None) -> None:
    assert correct_kind(kind, io.BytesIO(make_pdf("a"))) is FileKind.PDF
    assert correct_kind(kind, io.BytesIO(make_epub())) is FileKind.EPUB
    assert correct_kind(kind, io.BytesIO(b"\x89PNG\r\n\x1a\n")) is FileKind.PICTURE
    assert correct_kind(kind, io.BytesIO(b"PAR1 is the name of a file.")) is kind
    assert correct_kind(kind, io.BytesIO(b"PAR1 is read. PAR1")) is FileKind.PARQUET
