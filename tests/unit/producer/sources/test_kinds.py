"""What kind of document a file is."""

import pytest

from producer.errors import SourceUsageError
from producer.sources.kinds import FileKind, find_kind, sniff_kind
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
        (".PNG", "OCR"),
        (".gz", "unpack"),
    ],
)
def test_an_unsupported_kind_says_what_to_do(suffix: str, advice: str) -> None:
    with pytest.raises(SourceUsageError, match=advice):
        find_kind(suffix)


def test_the_first_bytes_tell_the_kind() -> None:
    assert sniff_kind(make_pdf("a")) is FileKind.PDF
    assert sniff_kind(make_docx()) is FileKind.DOCX
    assert sniff_kind(make_epub()) is FileKind.EPUB
    assert sniff_kind(make_pptx("")) is FileKind.PPTX
    assert sniff_kind(make_xlsx([["text"]])) is FileKind.XLSX
    assert sniff_kind(b"any text") is None


@pytest.mark.parametrize("data", [make_zip({"a.txt": "a"}), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old office file"])
def test_archives_and_old_office_files_are_refused(data: bytes) -> None:
    with pytest.raises(SourceUsageError, match=r"unpack it first|old or encrypted Office file"):
        sniff_kind(data)
