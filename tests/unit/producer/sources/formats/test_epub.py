"""EPUB: the chapters of books of both versions, whatever their markup, and nothing else."""

import pytest

from producer.errors import UnreadableError
from producer.sources import ReadLimits
from producer.sources.formats.epub import read_epub
from tests.unit.producer.sources.made_files import CHAPTER, METADATA, make_book, make_epub, make_zip

LIMITS = ReadLimits()
PREFIXED = (
    '<o:package xmlns:o="http://www.idpf.org/2007/opf" version="2.0"><o:metadata '
    'xmlns:d="http://purl.org/dc/elements/1.1/"><d:title>Two chapters</d:title></o:metadata><o:manifest>'
    '<o:item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></o:manifest>'
    '<o:spine><o:itemref idref="a"/></o:spine></o:package>'
)
XHTML_11 = (
    '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" '
    '"http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd"><html xmlns="http://www.w3.org/1999/xhtml">'
    "<head><title>x</title></head><body><p>It rained&nbsp;twice.</p></body></html>"
)
CONTENTS = (
    "<html><body><h2>Contents</h2><ul>"
    + "".join(f'<li><a href="{number}.xhtml">The chapter with number {number}</a></li>' for number in range(5))
    + "</ul></body></html>"
)


def read(chapters: dict[str, str | bytes], **more: str) -> str:
    return read_epub(make_book(chapters, **more), LIMITS).text


def test_an_epub_gives_its_chapters_in_reading_order_and_its_title() -> None:
    content = read_epub(make_epub(), LIMITS)
    assert (content.title, content.notes) == ("Two chapters", ())
    assert content.text == "# The beginning\n\nIt rained.\n\n# The end\n\nSee the map."


def test_prefixes_of_namespaces_make_no_difference() -> None:
    content = read_epub(make_book({"a.xhtml": CHAPTER.format("A", "It rained.")}, package=PREFIXED), LIMITS)
    assert (content.title, content.text) == ("Two chapters", "# A\n\nIt rained.")


def test_prefixes_in_the_container_and_the_chapters_make_no_difference() -> None:
    container = (
        '<c:container xmlns:c="urn:oasis:names:tc:opendocument:xmlns:container"><c:rootfiles>'
        '<c:rootfile full-path="book/content.opf"/></c:rootfiles></c:container>'
    )
    chapter = '<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:body><h:h1>A</h:h1><h:p>B c.</h:p></h:body></h:html>'
    assert read({"a.xhtml": chapter}, container=container) == "# A\n\nB c."


def test_a_chapter_of_version_2_with_its_document_type_is_read() -> None:
    assert read({"a.xhtml": XHTML_11}) == "It rained twice."


@pytest.mark.parametrize("head", ["<title/>", '<script src="x.js"/>', "<style type='a'/>"])
def test_an_element_that_closes_itself_swallows_nothing(head: str) -> None:
    assert read({"a.xhtml": f"<html><head>{head}</head><body><p><a id='x'/>It <i/>rained.</p></body></html>"}) == (
        "It rained."
    )


def test_a_book_that_declares_entities_is_refused() -> None:
    attack = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>&x;</p></body></html>'
    with pytest.raises(UnreadableError, match="declares XML entities"):
        read({"a.xhtml": attack})


def test_a_table_of_contents_is_no_text() -> None:
    assert read({"0.xhtml": CONTENTS, "1.xhtml": CHAPTER.format("A", "B.")}) == "# A\n\nB."


def test_the_table_of_contents_that_the_guide_names_is_no_text() -> None:
    guide = '<guide><reference type="toc" href="0.xhtml#start"/></guide>'
    chapters: dict[str, str | bytes] = {"0.xhtml": CHAPTER.format("Where", "A 1"), "1.xhtml": CHAPTER.format("A", "B.")}
    assert read(chapters, guide=guide) == "# A\n\nB."


def test_a_navigation_document_in_the_spine_is_no_text() -> None:
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf">{METADATA}<manifest>'
        '<item id="n" href="n.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        '<item id="x" href="x.ncx" media-type="application/x-dtbncx+xml"/>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="n"/><itemref idref="x"/><itemref idref="a"/></spine></package>'
    )
    chapters: dict[str, str | bytes] = {
        "n.xhtml": CHAPTER.format("Navigation", "one"),
        "x.ncx": "<ncx><text>two</text></ncx>",
        "a.xhtml": CHAPTER.format("A", "B."),
    }
    assert read(chapters, package=package) == "# A\n\nB."


def test_a_chapter_full_of_links_that_is_prose_stays() -> None:
    prose = "".join(
        f'<p><a href="#n{number}">Note {number}</a> explains at length why it rained.</p>' for number in "123"
    )
    assert "at length" in read({"a.xhtml": f"<html><body>{prose}</body></html>"})


@pytest.mark.parametrize(
    "chapter", ["<html><head><title>A title</title></head><body><img src='a.png'/></body></html>", " "]
)
def test_a_book_without_text_is_an_error_and_not_its_title(chapter: str) -> None:
    with pytest.raises(UnreadableError, match="holds no text in its chapters"):
        read({"a.xhtml": chapter})


def test_a_chapter_that_is_missing_is_named() -> None:
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf">{METADATA}<manifest>'
        '<item id="a" href="a.xhtml"/><item id="b" href="b.xhtml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/></spine></package>'
    )
    content = read_epub(make_book({"a.xhtml": CHAPTER.format("A", "B.")}, package=package), LIMITS)
    assert content.text == "# A\n\nB."
    assert content.notes == ("lacks or hides a part of its text: b.xhtml, c could not be read",)


def test_a_protected_book_is_refused_and_one_with_obfuscated_fonts_is_not() -> None:
    def encrypt(name: str) -> str:
        return f'<encryption><EncryptedData><CipherReference URI="{name}"/></EncryptedData></encryption>'

    chapters: dict[str, str | bytes] = {"a.xhtml": CHAPTER.format("A", "B.")}
    assert read({**chapters, "f.otf": CHAPTER.format("", "")}, encryption=encrypt("book/g.otf")) == "# A\n\nB."
    with pytest.raises(UnreadableError, match="protected against copying"):
        read({"a.xhtml": bytes(range(256))}, encryption=encrypt("book/a.xhtml"))


def test_a_chapter_in_a_declared_encoding_is_decoded() -> None:
    chapter = '<?xml version="1.0" encoding="windows-1251"?><html><body><p>Порт</p></body></html>'
    assert read({"a.xhtml": chapter.encode("cp1251")}) == "Порт"


def test_a_package_is_found_without_a_container() -> None:
    files: dict[str, str | bytes] = {"content.opf": PREFIXED, "a.xhtml": CHAPTER.format("A", "B.")}
    assert read_epub(make_zip(files), LIMITS).text == "# A\n\nB."
    with pytest.raises(UnreadableError, match=r"lacks META-INF/container\.xml"):
        read_epub(make_zip({"a.txt": "a"}), LIMITS)


def test_a_placeholder_is_no_title() -> None:
    package = PREFIXED.replace("Two chapters", "Unknown")
    assert read_epub(make_book({"a.xhtml": CHAPTER.format("A", "B.")}, package=package), LIMITS).title == "A"


def test_marks_of_notes_stand_apart_from_words_and_numbers_of_printed_pages_are_left_out() -> None:
    chapter = (
        "<html xmlns:epub='http://www.idpf.org/2007/ops'><body><p>The pier<a epub:type='noteref' href='#n'>1</a> "
        "was<sup><a role='doc-noteref' href='#m'>2</a></sup> <span epub:type='pagebreak'>12</span>rebuilt.</p>"
        "<aside epub:type='footnote'>In 1953.</aside></body></html>"
    )
    assert read({"a.xhtml": chapter}) == "The pier[1] was[2] rebuilt.\n\nIn 1953."


def package(manifest: str, *spine: str) -> str:
    """Return a package file with a manifest and the ids of the spine."""
    items = "".join(f'<itemref idref="{name}"/>' for name in spine)
    return (
        f'<package xmlns="http://www.idpf.org/2007/opf">{METADATA}<manifest>{manifest}</manifest>'
        f"<spine>{items}</spine></package>"
    )


def test_a_file_that_is_listed_twice_is_read_once() -> None:
    manifest = '<item id="a" href="a.xhtml#one"/><item id="b" href="a.xhtml#two"/>'
    assert read({"a.xhtml": CHAPTER.format("A", "B.")}, package=package(manifest, "a", "b", "a")) == "# A\n\nB."


def test_separators_of_windows_are_understood() -> None:
    manifest = '<item id="a" href="text\\a.xhtml"/>'
    assert read({"text/a.xhtml": CHAPTER.format("A", "B.")}, package=package(manifest, "a")) == "# A\n\nB."


@pytest.mark.parametrize("fallback", ["", 'fallback="b"'])
def test_an_item_that_is_no_page_gives_the_one_that_stands_in_for_it(fallback: str) -> None:
    manifest = f'<item id="a" href="a.pdf" media-type="application/pdf" {fallback}/><item id="b" href="b.xhtml"/>'
    chapters: dict[str, str | bytes] = {"a.pdf": "%PDF-1.4", "b.xhtml": CHAPTER.format("A", "B.")}
    content = read_epub(make_book(chapters, package=package(manifest, "a", *([] if fallback else "b"))), LIMITS)
    assert content.text == "# A\n\nB."
    assert bool(content.notes) is not bool(fallback)


@pytest.mark.parametrize("title", ["Fish & chips", "Fish &amp; chips", "Fish &amp;amp; chips"])
def test_signs_in_a_title_are_kept_however_they_are_escaped(title: str) -> None:
    escaped = package('<item id="a" href="a.xhtml"/>', "a").replace("Two chapters", title)
    content = read_epub(make_book({"a.xhtml": CHAPTER.format("A", "B.")}, package=escaped), LIMITS)
    assert content.title == "Fish & chips"


def test_all_authors_are_named() -> None:
    both = "<dc:creator>A. Writer</dc:creator><dc:creator>B. Reader</dc:creator></metadata>"
    book = package('<item id="a" href="a.xhtml"/>', "a").replace("</metadata>", both)
    content = read_epub(make_book({"a.xhtml": CHAPTER.format("A", "B.")}, package=book), LIMITS)
    assert content.metadata == {"creator": "A. Writer; B. Reader"}
