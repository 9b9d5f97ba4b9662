"""Archives of XML: attacks are refused, ordinary document types are not, references are found as readers find them."""

import io
import zipfile

import pytest

from producer.errors import LimitError, UnreadableError
from producer.sources import ReadLimits
from producer.sources.formats.archive import check_entities, open_archive, parse_xml, resolve_name
from tests.unit.producer.sources.made_files import BILLION_LAUGHS, make_docx, make_zip

XHTML_11 = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
NCX = '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'


@pytest.mark.parametrize("doctype", ["<!DOCTYPE html>", XHTML_11, NCX, '<!DOCTYPE html SYSTEM "about:legacy-compat">'])
def test_a_document_type_that_declares_nothing_is_no_attack(doctype: str) -> None:
    check_entities(f"{doctype}<html><p>a&nbsp;b</p></html>".encode())


@pytest.mark.parametrize(
    "xml",
    [
        BILLION_LAUGHS,
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>',
        '<!DOCTYPE d [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd">%x;]><d/>',
        XHTML_11.replace(">", ' [<!ENTITY nbsp "&#160;">]>') + "<html/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_declared_entity_is_refused(xml: str, encoding: str) -> None:
    with pytest.raises(UnreadableError, match="declares XML entities"):
        check_entities(xml.encode(encoding))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (make_docx(extra=bytes(20_000_000)), ReadLimits(unpacked_bytes=10_000_000)),
        (make_zip({f"{number}.xml": "" for number in range(50)}), ReadLimits(zip_entries=20)),
    ],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(data: bytes, limits: ReadLimits) -> None:
    with pytest.raises(LimitError, match="unpacks to"), open_archive(data, limits):
        pass


def test_an_encrypted_office_file_is_refused() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
    with pytest.raises(UnreadableError, match="is encrypted"), open_archive(data, ReadLimits()):
        pass


@pytest.mark.parametrize(
    ("base", "reference", "name"),
    [
        ("Meta/content.opf", "../Text/a.xhtml", "Text/a.xhtml"),
        ("Text/b.xhtml", "a.xhtml#part", "Text/a.xhtml"),
        ("Text/b.xhtml", "one%20two.xhtml", "Text/one two.xhtml"),
        ("", "/Text/A.XHTML", "Text/a.xhtml"),
        ("Text/b.xhtml", "../../../etc/passwd", None),
    ],
)
def test_a_reference_is_resolved_within_the_archive(base: str, reference: str, name: str | None) -> None:
    data = make_zip({"Text/a.xhtml": "", "Text/one two.xhtml": "", "Meta/content.opf": ""})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert resolve_name(archive, base, reference) == name


def test_xml_with_an_undeclared_prefix_is_read_and_other_bytes_are_refused() -> None:
    assert parse_xml(b'<a><b opf:role="aut">text</b></a>').findtext("b") == "text"
    with pytest.raises(UnreadableError, match="is not XML"):
        parse_xml(b"no markup at all")


@pytest.mark.parametrize("name", ["chapter.xht", "chapter", "picture.svg"])
def test_a_declared_entity_is_refused_whatever_the_name_of_its_part(name: str) -> None:
    data = make_zip({name: b"\xff\xfe" + BILLION_LAUGHS.encode("utf-16-le")})
    with pytest.raises(UnreadableError, match="declares XML entities"), open_archive(data, ReadLimits()):
        pass


def test_names_with_separators_of_windows_are_found() -> None:
    with open_archive(make_zip({"word\\document.xml": "<a/>"}), ReadLimits()) as archive:
        assert archive.read("word/document.xml") == b"<a/>"


@pytest.mark.parametrize(
    ("data", "message"), [(b"{\\rtf1 text}", "a file of another kind"), (make_docx()[:300], "a damaged zip archive")]
)
def test_a_file_that_is_no_archive_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message), open_archive(data, ReadLimits()):
        pass
