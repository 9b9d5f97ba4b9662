"""DOCX: every visible text once, whatever markup Word put it into, and a note on what is left out."""

import pytest

from producer.errors import UnreadableError
from producer.sources import ReadLimits
from producer.sources.formats.docx import read_docx
from tests.unit.producer.sources.made_files import (
    BILLION_LAUGHS,
    NAMESPACES,
    OFFICE,
    RELATIONSHIPS,
    make_docx,
    make_word,
    make_zip,
)

LIMITS = ReadLimits()
BOX = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
DRAWING = "<w:drawing><wp:inline><a:graphic><a:graphicData>{}</a:graphicData></a:graphic></wp:inline></w:drawing>"
SHAPE = DRAWING.format(f"<wps:wsp><wps:txbx>{BOX}</wps:txbx></wps:wsp>")
VML_SHAPE = f"<w:pict><v:oval><v:textbox>{BOX}</v:textbox></v:oval></w:pict>"


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def read(body: str, **more: str | bytes) -> str:
    return read_docx(make_word(body, **more), LIMITS).text


def test_a_docx_gives_markdown_without_escapes_and_its_title() -> None:
    content = read_docx(make_docx(), LIMITS)
    assert content.text == "# Findings *here*\n\nThe pump_rate fell by 12 percent."
    assert (content.format, content.title, content.metadata) == ("markdown", "Pump report", {"creator": "A. Writer"})


@pytest.mark.parametrize("name", ["word/document2.xml", "content/main.xml", "main.xml"])
@pytest.mark.parametrize("kind", [OFFICE, "http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument"])
def test_the_main_part_has_any_name(name: str, kind: str) -> None:
    files: dict[str, str | bytes] = {
        "_rels/.rels": f'<Relationships xmlns="{RELATIONSHIPS}">'
        f'<Relationship Id="a" Type="{kind}" Target="{name}"/></Relationships>',
        name: f"<w:document {NAMESPACES}><w:body>{paragraph('It rained.')}</w:body></w:document>",
    }
    assert read_docx(make_zip(files), LIMITS).text == "It rained."


def test_a_strict_file_is_read() -> None:
    strict = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
    document = f"<w:document {strict}><w:body>{paragraph('It rained.')}</w:body></w:document>"
    assert read_docx(make_docx(document=document), LIMITS).text == "It rained."


def test_a_formula_in_a_main_part_of_another_name_is_written() -> None:
    formula = "<w:p><m:oMath><m:r><m:t>E=m</m:t></m:r></m:oMath></w:p>"
    assert read(formula) == "$E=m$"


def test_inserted_and_moved_text_is_there_once_and_deleted_text_never() -> None:
    body = (
        f"<w:p>{run('The fee is ')}<w:del w:id='1'><w:r><w:delText>ninety</w:delText></w:r></w:del>"
        f"<w:ins w:id='2'>{run('eighty')}</w:ins>{run(' euros.')}</w:p>"
        f"<w:p><w:moveFromRangeStart w:id='5'/><w:moveFrom w:id='3'>{run('It moved.')}</w:moveFrom></w:p>"
        f"{paragraph('It is due.')}"
        f"<w:p><w:moveTo w:id='4'>{run('It moved.')}</w:moveTo></w:p>"
    )
    assert read(body) == "The fee is eighty euros.\n\nIt is due.\n\nIt moved."


def test_a_deleted_table_cell_is_not_read() -> None:
    cells = f"<w:tc>{paragraph('kept')}</w:tc><w:tc><w:tcPr><w:cellDel w:id='1'/></w:tcPr>{paragraph('gone')}</w:tc>"
    text = read(f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>")
    assert "kept" in text
    assert "gone" not in text


@pytest.mark.parametrize("name", ["customXml", "smartTag", "dir", "bdo", "fldSimple", "hyperlink", "ins"])
def test_text_in_a_wrapper_is_read(name: str) -> None:
    assert read(f"<w:p>{run('It ')}<w:{name}>{run('rained.')}</w:{name}></w:p>") == "It rained."


@pytest.mark.parametrize(
    "shape",
    [
        f"<mc:AlternateContent><mc:Choice Requires='wps'>{SHAPE}</mc:Choice></mc:AlternateContent>",
        f"<mc:AlternateContent><mc:Choice Requires='wps'>{SHAPE}</mc:Choice>"
        f"<mc:Fallback>{VML_SHAPE}</mc:Fallback></mc:AlternateContent>",
        f"<mc:AlternateContent><mc:Choice Requires='wps'><w:drawing/></mc:Choice>"
        f"<mc:Fallback>{VML_SHAPE}</mc:Fallback></mc:AlternateContent>",
        SHAPE,
        VML_SHAPE,
    ],
)
def test_a_text_box_is_read_once(shape: str) -> None:
    assert read(f"<w:p>{run('Notice.')}<w:r>{shape}</w:r></w:p>") == "Notice.\n\nIn the box."


def test_a_text_box_in_a_text_box_is_read_once() -> None:
    inner = SHAPE.replace("In the box.", "Inner.")
    outer = SHAPE.replace(BOX, f"<w:txbxContent><w:p>{run('Outer.')}<w:r>{inner}</w:r></w:p></w:txbxContent>")
    assert read(f"<w:p><w:r>{outer}</w:r></w:p>").split() == ["Outer.", "Inner."]


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("html", "<html><body><h1>Ferry</h1><p>It runs.</p></body></html>"),
        ("txt", "# Ferry\n\nIt runs."),
        ("mht", 'MIME-Version: 1.0\nContent-Type: text/html; charset="utf-8"\n\n<h1>Ferry</h1><p>It runs.</p>'),
        (
            "docx",
            make_word(
                "<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr>" + run("Ferry") + "</w:p>" + paragraph("It runs.")
            ),
        ),
    ],
)
def test_an_embedded_document_stands_at_its_place(suffix: str, data: str | bytes) -> None:
    body = f"{paragraph('Preface.')}<w:altChunk r:id='r{suffix}'/>{paragraph('End.')}"
    content = read_docx(make_word(body, **{suffix: data}), LIMITS)
    assert content.text == "Preface.\n\n# Ferry\n\nIt runs.\n\nEnd."
    assert content.notes == ()


@pytest.mark.parametrize("more", [{"rtf": "{\\rtf1 It runs.}"}, {"docx": "no archive"}, {}])
def test_an_embedded_document_that_is_not_read_is_named(more: dict[str, str]) -> None:
    suffix = next(iter(more), "none")
    content = read_docx(make_word(f"{paragraph('End.')}<w:altChunk r:id='r{suffix}'/>", **more), LIMITS)
    assert content.text == "End."
    assert "embedded document" in content.notes[0]


def test_documents_that_embed_each_other_end() -> None:
    data: str | bytes = "no archive"
    for _ in range(6):
        data = make_word(f"{paragraph('Level.')}<w:altChunk r:id='rdocx'/>", docx=data)
    assert read_docx(data if isinstance(data, bytes) else b"", LIMITS).text.count("Level.") == 4


def test_footnotes_follow_the_text_and_comments_are_counted() -> None:
    footnotes = f"<w:footnotes {NAMESPACES}><w:footnote w:id='2'>{paragraph('A note.')}</w:footnote></w:footnotes>"
    comments = f"<w:comments {NAMESPACES}><w:comment w:id='0'>{paragraph('A remark.')}</w:comment></w:comments>"
    marks = "<w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:commentReference w:id='0'/></w:r>"
    body = f"<w:p>{run('It rained.')}{marks}</w:p>"
    content = read_docx(make_word(body, footnotes=footnotes, comments=comments), LIMITS)
    assert content.text.startswith("It rained.")
    assert content.text.index("A note.") > content.text.index("rained")
    assert "A remark." not in content.text
    assert content.notes == ("holds 1 comment, which is left out",)


def test_a_chart_is_named() -> None:
    chart = f"<w:r>{DRAWING.format('<c:chart/>')}</w:r>"
    content = read_docx(make_word(f"<w:p>{run('It rained.')}{chart}{chart}</w:p>"), LIMITS)
    assert (content.text, content.notes) == ("It rained.", ("holds 2 charts, which are left out",))


def test_a_reading_stands_behind_its_word() -> None:
    ruby = f"<w:r><w:ruby><w:rubyPr/><w:rt>{run('みなと')}</w:rt><w:rubyBase>{run('港')}</w:rubyBase></w:ruby></w:r>"
    assert read(f"<w:p>{ruby}{run('の橋')}</w:p>") == "港(みなと)の橋"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_entities_are_refused(encoding: str) -> None:
    attack = BILLION_LAUGHS.replace("1.0'?", f"1.0' encoding='{encoding}'?").encode(encoding)
    with pytest.raises(UnreadableError, match="declares XML entities"):
        read_docx(make_docx(document=attack), LIMITS)


def test_a_zip_of_another_kind_is_refused() -> None:
    with pytest.raises(UnreadableError, match="lacks its main part"):
        read_docx(make_zip({"a.txt": "a"}), LIMITS)


def test_the_mark_of_an_embedded_document_cannot_be_forged() -> None:
    body = f"{paragraph('0' * 32)}<w:altChunk r:id='rtxt'/>"
    assert read(body, txt="It runs.") == f"{'0' * 32}\n\nIt runs."


def field(instruction: str, shown: str) -> str:
    """Return a field of Word: what to compute, and what it gave."""
    marks = [f"<w:r><w:fldChar w:fldCharType='{kind}'/></w:r>" for kind in ("begin", "separate", "end")]
    return f"{marks[0]}<w:r><w:instrText> {instruction} </w:instrText></w:r>{marks[1]}{shown}{marks[2]}"


def test_a_table_of_contents_is_no_text() -> None:
    contents = f"<w:p>{field('TOC 1', run('Pier 1') + field('PAGEREF x', run('1')))}</w:p>"
    gallery = "<w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
    control = f"<w:sdt>{gallery}<w:sdtContent>{paragraph('Contents')}</w:sdtContent></w:sdt>"
    assert read(control + contents + paragraph("It rained.")) == "It rained."


def test_the_text_of_other_fields_is_read_and_their_instruction_never() -> None:
    assert read(f"<w:p>{run('See ')}{field('HYPERLINK x', run('the page'))}{run('.')}</w:p>") == "See the page."


def test_a_table_of_contents_that_never_ends_takes_no_text_with_it() -> None:
    begin = "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>TOC</w:instrText></w:r>"
    assert read(f"<w:p>{begin}</w:p>{paragraph('It rained.')}") == "It rained."


def test_hidden_text_and_hints_to_fill_in_are_not_read() -> None:
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>Hidden.</w:t></w:r>"
    shown = "<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>Seen.</w:t></w:r>"
    hint = f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('Click here.')}</w:sdtContent></w:sdt>"
    content = read_docx(make_word(f"<w:p>{hidden}{shown}{hint}</w:p>"), LIMITS)
    assert (content.text, content.notes) == ("Seen.", ("holds 1 hidden passage, which is left out",))


def test_text_that_a_style_hides_is_not_read() -> None:
    styles = (
        f"<w:styles {NAMESPACES}><w:style w:styleId='h'><w:rPr><w:vanish/></w:rPr></w:style>"
        "<w:style w:styleId='own'><w:basedOn w:val='h'/></w:style></w:styles>"
    )
    shown = "<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>Seen.</w:t></w:r>"
    body = (
        f"<w:p><w:pPr><w:pStyle w:val='own'/></w:pPr>{run('Hidden.')}{shown}</w:p>"
        f"<w:p><w:r><w:rPr><w:rStyle w:val='h'/></w:rPr><w:t>Hidden.</w:t></w:r>{run('Seen, too.')}</w:p>"
    )
    content = read_docx(make_word(body, styles=styles), LIMITS)
    assert (content.text, content.notes) == ("Seen.\n\nSeen, too.", ("holds 2 hidden passages, which are left out",))


def test_pictures_headers_and_footers_are_counted() -> None:
    drawn = (
        "<w:r><w:drawing><a:graphic><a:graphicData><x:pic xmlns:x='p'/></a:graphicData></a:graphic></w:drawing></w:r>"
    )
    old = "<w:r><w:pict><v:shape><v:imagedata/></v:shape></w:pict></w:r>"
    margin = f"<w:hdr {NAMESPACES}><w:p>{run('{}')}</w:p></w:hdr>"
    data = make_word(
        f"<w:p>{run('It rained.')}{drawn}{drawn}{old}</w:p>", header=margin.format("Harbour"), footer=margin.format("3")
    )
    content = read_docx(data, LIMITS)
    assert content.text == "It rained."
    assert content.notes == ("holds 3 pictures and 1 header, which are left out",)


def test_a_bar_in_a_cell_begins_no_other_cell() -> None:
    cells = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("a|b", "c"))
    assert "| a\\|b | c |" in read(f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>")


def test_breaks_tabs_and_powers_are_kept() -> None:
    power = "<w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr><w:t>2</w:t></w:r>"
    body = f"<w:p>{run('one')}<w:r><w:cr/></w:r>{run('two')}<w:r><w:ptab/></w:r>{run('10')}{power}</w:p>"
    assert read(body) == "one\ntwo 10^2"


@pytest.mark.parametrize(
    ("formula", "tex"),
    [
        ("<m:f><m:num>{a}</m:num><m:den>{b}</m:den></m:f>", "\\frac{a}{b}"),
        ("<m:rad><m:deg/><m:e>{a}</m:e></m:rad>", "\\sqrt{a}"),
        ("<m:nary><m:sub/><m:sup/><m:e>{a}</m:e></m:nary>", "a"),
    ],
)
def test_a_formula_without_properties_is_written_and_costs_no_other(formula: str, tex: str) -> None:
    runs = {name: f"<m:r><m:t>{name}</m:t></m:r>" for name in "ab"}
    body = f"<w:p><m:oMath>{formula.format(**runs)}</m:oMath></w:p><w:p><m:oMath>{runs['b']}</m:oMath></w:p>"
    assert read(body) == f"${tex}$\n\n$b$"


def test_headings_of_any_name_and_the_title_are_found() -> None:
    styles = (
        f"<w:styles {NAMESPACES}><w:style w:styleId='t'><w:name w:val='Title'/></w:style><w:style/>"
        "<w:style w:styleId='h'><w:pPr><w:outlineLvl w:val='1'/></w:pPr></w:style>"
        "<w:style w:styleId='own'><w:basedOn w:val='h'/></w:style></w:styles>"
    )
    body = "".join(
        f"<w:p><w:pPr>{style}</w:pPr>{run(text)}</w:p>"
        for style, text in [
            ("<w:pStyle w:val='t'/>", "Report"),
            ("<w:outlineLvl w:val='0'/>", "Part"),
            ("<w:pStyle w:val='own'/>", "Chapter"),
            ("<w:pStyle w:val='own'/><w:outlineLvl w:val='9'/>", "It rained."),
        ]
    )
    content = read_docx(make_word(body, styles=styles), LIMITS)
    assert content.text == "# Report\n\n# Part\n\n## Chapter\n\nIt rained."
    assert content.title == "Report"


def test_a_table_in_a_table_keeps_its_rows() -> None:
    inner = f"<w:tbl><w:tr><w:tc>{paragraph('Fee')}</w:tc><w:tc>{paragraph('90')}</w:tc></w:tr></w:tbl>"
    outer = f"<w:tbl><w:tr><w:tc>{paragraph('Outer')}{inner}</w:tc></w:tr></w:tbl>"
    assert read(outer) == "Outer\n\n|  |  |\n| --- | --- |\n| Fee | 90 |"
