"""Small real PDF, DOCX and EPUB files, and the attacks on them, made in memory."""

from __future__ import annotations

import io
import zipfile

from openpyxl import Workbook

RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{name}"'
    for prefix, name in {
        "w": WORD,
        "r": OFFICE.rpartition("/")[0],
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "v": "urn:schemas-microsoft-com:vml",
    }.items()
)
CONTENT_TYPES = """<?xml version="1.0"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>
</Types>"""
PARAGRAPHS = (
    '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Findings *here*</w:t></w:r></w:p>'
    "<w:p><w:r><w:t>The pump_rate fell by 12 percent.</w:t></w:r></w:p>"
)
BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]><lolz>&j;</lolz>"
)


HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def make_pdf(*pages: str, encrypted: bool = False) -> bytes:
    """Return a PDF with one line of text a page."""
    return make_drawn_pdf(*(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" for text in pages), encrypted=encrypted)


def make_drawn_pdf(*pages: str, font: str = HELVETICA, title: str = "Pump report", encrypted: bool = False) -> bytes:
    """Return a PDF whose pages are these drawing commands; ``font`` is the object of the font F1."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        font,
        f"<< /Title ({title}) /Author (A. Writer) >>",
    ]
    for number, stream in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {6 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R"
    if encrypted:
        key = "<" + "5a" * 32 + ">"
        trailer += f" /Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -4 >> /ID [<00> <00>]"
    return _lay_out_pdf(objects, trailer)


def _lay_out_pdf(objects: list[str], trailer: str) -> bytes:
    body, offsets = "%PDF-1.4\n", []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    xref = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return f"{body}{xref}trailer\n<< {trailer} >>\nstartxref\n{len(body)}\n%%EOF\n".encode("latin-1")


# A picture of one white pixel.
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU"
    b"\0\0\0\nIDATx\x9cc\xf8\x0f\0\x01\x01\x01\0\x1b\xb6\xeeV\0\0\0\0IEND\xaeB`\x82"
)


def make_zip(files: dict[str, str | bytes]) -> bytes:
    """Return a zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_word(body: str, **more: str | bytes) -> bytes:
    """Return a DOCX with this body.

    Args:
        body: content of ``w:body``.
        more: further parts by kind ("footnotes", "comments") or, for altChunk, by suffix ("html"): the kind of the
            relationship and the name of the part follow from it, its id is ``r`` and the key.
    """
    kinds = {
        key: key if key in {"footnotes", "endnotes", "comments", "styles", "header", "footer"} else "aFChunk"
        for key in more
    }
    names = {key: f"{key}.xml" if key == kind else f"chunk.{key}" for key, kind in kinds.items()}
    links = "".join(
        f'<Relationship Id="r{key}" Type="{OFFICE.rpartition("/")[0]}/{kinds[key]}" Target="{name}"/>'
        for key, name in names.items()
    )
    return make_zip(
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "_rels/.rels": f'<Relationships xmlns="{RELATIONSHIPS}">'
            f'<Relationship Id="rId1" Type="{OFFICE}" Target="/word/document.xml"/></Relationships>',
            "word/document.xml": f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONSHIPS}">{links}</Relationships>',
            **{f"word/{names[key]}": content for key, content in more.items()},
        }
    )


def make_docx(**parts: str | bytes) -> bytes:
    """Return a DOCX with a heading and a paragraph; ``parts`` replaces or adds files (``document``, ``extra``)."""
    body = f'<w:document xmlns:w="{WORD}"><w:body>{PARAGRAPHS}</w:body></w:document>'
    names = {"document": "word/document.xml", "extra": "word/extra.xml"}
    files: dict[str, str | bytes] = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": f'<?xml version="1.0"?><Relationships xmlns="{RELATIONSHIPS}">'
        f'<Relationship Id="rId1" Type="{OFFICE}" Target="word/document.xml"/></Relationships>',
        "docProps/core.xml": '<?xml version="1.0"?><p xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>Pump report</dc:title><dc:creator>A. Writer</dc:creator></p>",
        "word/document.xml": f'<?xml version="1.0"?>{body}',
    }
    return make_zip(files | {names[part]: content for part, content in parts.items()})


CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="book/content.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
METADATA = '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Two chapters</dc:title></metadata>'
CHAPTER = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><body><h1>{}</h1><p>{}</p></body></html>'


def make_epub() -> bytes:
    """Return an EPUB of two chapters whose files are not in reading order."""
    return make_book(
        {
            "b.xhtml": CHAPTER.format("The beginning", "It rained."),
            "a.xhtml": CHAPTER.format("The end", 'See <a href="http://x.example">the <b>map</b></a>.'),
        }
    )


def make_book(chapters: dict[str, str | bytes], *, package: str = "", **more: str | bytes) -> bytes:
    """Return an EPUB.

    Args:
        chapters: content by file name, in the order of the spine.
        package: content of the package file; "" makes one.
        more: contents of further files: ``container``, ``encryption`` of META-INF, ``guide`` of the package.
    """
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(sorted(chapters))
    )
    spine = "".join(f'<itemref idref="c{sorted(chapters).index(name)}"/>' for name in chapters)
    made = (
        f'<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">{METADATA}'
        f"<manifest>{items}</manifest><spine>{spine}</spine>{more.pop('guide', '')}</package>"
    )
    return make_zip(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": more.pop("container", CONTAINER),
            **{f"META-INF/{name}.xml": content for name, content in more.items()},
            "book/content.opf": package or made,
            **{f"book/{name}": content for name, content in chapters.items()},
        }
    )


def make_xlsx(*sheets: list[list[object]]) -> bytes:
    """Return a workbook with these rows on its sheets."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    for rows in sheets:
        sheet = workbook.create_sheet()
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()
