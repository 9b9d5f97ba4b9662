"""PDF: text page by page and column by column, and a refusal of what is no readable text."""

import zlib

import pytest

from producer.errors import LimitError, UnreadableError
from producer.sources import ReadLimits
from producer.sources.formats.pdf import read_pdf
from producer.sources.kinds import FileKind
from producer.sources.sandbox import Sandbox
from tests.unit.producer.sources.made_files import make_drawn_pdf, make_pdf

LIMITS = ReadLimits()
LEFT = [f"Left line {number} of the first column." for number in range(12)]
RIGHT = [f"Right line {number} of the second one." for number in range(12)]


def draw_lines(lines: list[str], x: int, *, top: int = 700) -> str:
    return "".join(f"BT /F1 10 Tf {x} {top - 12 * number} Td ({line}) Tj ET\n" for number, line in enumerate(lines))


def test_a_pdf_gives_its_pages_in_order_with_their_offsets() -> None:
    content = read_pdf(make_pdf("First page", "Second page"), LIMITS)
    assert content.text == "First page\n\nSecond page"
    assert (content.format, content.title, content.notes) == ("text", "Pump report", ())
    assert content.metadata == {"author": "A. Writer", "page_starts": "0,12"}


def test_columns_are_read_one_after_the_other_and_a_title_before_them() -> None:
    title = "BT /F1 18 Tf 150 740 Td (A title that spans both of the columns) Tj ET\n"
    # Drawn line by line across the columns, as some programs do.
    rows = "".join(draw_lines([left], 50, top=700 - 12 * number) + draw_lines([right], 320, top=700 - 12 * number)
                   for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)))  # fmt: skip
    text = read_pdf(make_drawn_pdf(title + rows), LIMITS).text
    assert text.splitlines() == ["A title that spans both of the columns", "", " ".join(LEFT), "", " ".join(RIGHT)]


def test_three_columns_are_read_one_after_the_other() -> None:
    columns = [[f"{word} {number} of this column" for number in range(9)] for word in ("first", "middle", "final")]
    drawn = "".join(draw_lines(column, 40 + 190 * place) for place, column in enumerate(columns))
    lines = [line for line in read_pdf(make_drawn_pdf(drawn), LIMITS).text.splitlines() if line]
    assert lines == [line for column in columns for line in column]


def test_the_rows_of_a_table_stay_rows() -> None:
    names, fees = ["Berth", "North pier", "Old fort"], ["Fee", "90", "85"]
    text = read_pdf(make_drawn_pdf(draw_lines(names, 50) + draw_lines(fees, 300)), LIMITS).text
    assert text.splitlines() == ["Berth | Fee", "North pier | 90", "Old fort | 85"]


def test_a_gap_between_lines_ends_a_paragraph() -> None:
    drawn = draw_lines(["one", "two"], 50) + draw_lines(["three"], 50, top=640)
    assert read_pdf(make_drawn_pdf(drawn), LIMITS).text == "one\ntwo\n\nthree"


def test_a_text_whose_fonts_name_no_characters_is_refused() -> None:
    font = (
        "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [<< /Type /Font "
        "/Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo "
        "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>] >>"
    )
    page = "BT /F1 12 Tf 72 720 Td <00370048004B00480055005A> Tj ET"
    with pytest.raises(UnreadableError, match=r"holds no readable text: .*OCR"):
        read_pdf(make_drawn_pdf(page, font=font), LIMITS)


def test_a_few_characters_without_a_meaning_are_counted() -> None:
    font = (
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding "
        "<< /Type /Encoding /Differences [1 /g123 /g124] >> >>"
    )
    page = draw_lines(["The sum of it all is \\001 and \\002 in every year of them."], 72)
    content = read_pdf(make_drawn_pdf(page, font=font), LIMITS)
    assert content.text == "The sum of it all is \ufffd and \ufffd in every year of them."
    assert content.notes == ("holds 2 characters whose fonts do not tell their meaning, shown as \ufffd",)


def test_a_page_that_is_a_picture_is_named() -> None:
    picture = "q 500 0 0 700 50 50 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"
    content = read_pdf(make_drawn_pdf(draw_lines(LEFT, 50), picture, picture), LIMITS)
    assert content.notes[0].startswith("holds pictures without text on pages 2, 3, which are left out")
    assert "OCR" in content.notes[0]


def test_an_encrypted_pdf_is_refused() -> None:
    with pytest.raises(UnreadableError, match="is encrypted; save a copy without a password"):
        read_pdf(make_pdf("a", encrypted=True), LIMITS)


def test_a_pdf_without_text_asks_for_text_recognition() -> None:
    with pytest.raises(UnreadableError, match="OCR"):
        read_pdf(make_pdf(""), LIMITS)


def test_a_pdf_with_too_many_pages_is_refused() -> None:
    with pytest.raises(LimitError, match="has more than 2 pages"):
        read_pdf(make_pdf("a", "b", "c"), ReadLimits(pages=2))


@pytest.mark.parametrize(("written", "title"), [("Microsoft Word - Fees", "Fees"), ("untitled", ""), ("fees.doc", "")])
def test_a_title_that_a_program_wrote_is_none(written: str, title: str) -> None:
    assert read_pdf(make_drawn_pdf(draw_lines(["a"], 50), title=written), LIMITS).title == title


@pytest.mark.parametrize("kind", [FileKind.PDF, FileKind.DOCX, FileKind.EPUB])
def test_a_corrupted_file_is_a_clear_error(kind: FileKind, sandbox: Sandbox) -> None:
    with pytest.raises(UnreadableError, match=f"is not a readable {kind} file|is a file of another kind"):
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


def draw(*lines: tuple[int, int, str], matrix: str = "1 0 0 1") -> str:
    """Return commands that draw each text at its place."""
    return "\n".join(f"BT /F1 10 Tf {matrix} {x} {y} Tm ({text}) Tj ET" for x, y, text in lines)


def test_words_that_are_divided_at_the_end_of_a_line_are_joined() -> None:
    page = draw(
        (72, 700, "An inter-"), (72, 688, "national, well-known"), (72, 676, "pump. A well-"), (72, 664, "known A-")
    )
    assert read_pdf(make_drawn_pdf(page), ReadLimits()).text == "An international, well-known\npump. A well-known A-"


@pytest.mark.parametrize("matrix", ["0 1 -1 0", "0 -1 1 0"])
def test_a_page_whose_text_lies_on_its_side_is_read(matrix: str) -> None:
    page = draw((100, 300, "The pump of the harbour stopped."), matrix=matrix)
    assert read_pdf(make_drawn_pdf(page), ReadLimits()).text == "The pump of the harbour stopped."


def test_text_at_the_margin_that_lies_on_its_side_stands_apart() -> None:
    page = draw((100, 600, "The pump of the harbour stopped.")) + draw((20, 300, "Submitted in May"), matrix="0 1 -1 0")
    text = read_pdf(make_drawn_pdf(page), ReadLimits()).text
    assert text == "The pump of the harbour stopped.\n\nSubmitted in May"


def test_a_line_that_is_drawn_twice_to_look_bold_is_read_once() -> None:
    page = draw((100, 600, "The pump stopped."), (101, 600, "The pump stopped."), (100, 500, "The pump stopped."))
    assert read_pdf(make_drawn_pdf(page), ReadLimits()).text == "The pump stopped.\n\nThe pump stopped."


PROSE = [
    "The engineers measured the pressure in the old",
    "cast iron mains between March and September",
    "2024, and the technicians repeated it at night.",
    "The board met in May and asked for inter-",
    "national advice. It was short.",
]
JOINED = (
    "The engineers measured the pressure in the old cast iron mains between March and September 2024, and the "
    "technicians repeated it at night. The board met in May and asked for international advice. It was short."
)


def test_the_lines_of_a_paragraph_are_joined() -> None:
    page = draw_lines(PROSE, 72) + draw_lines(["The next paragraph is short."], 72, top=600)
    assert read_pdf(make_drawn_pdf(page), LIMITS).text == f"{JOINED}\n\nThe next paragraph is short."


@pytest.mark.parametrize(
    "lines",
    [
        ["1. Repair of the old cast iron mains in March", "2. Survey of the northern basin, by divers"],
        ["Repair of the mains ................. 3", "Survey of the basin ................. 5"],
        ["Harbour Board of the northern basin", "12 Quay Road", "Bergen"],
    ],
)
def test_lists_contents_and_addresses_stay_lines(lines: list[str]) -> None:
    page = draw_lines(PROSE, 72) + draw_lines(lines, 72, top=600)
    assert read_pdf(make_drawn_pdf(page), LIMITS).text.split("\n\n")[1].split("\n") == lines


def draw_page(number: int, lines: list[str], *, head: str = "Report of the Harbour Board, May 2024") -> str:
    """Return a page with a head and its number at the foot."""
    return draw_lines([head], 72, top=760) + draw_lines(lines, 72) + draw((300, 30, f"- {number} -"))


def test_running_heads_and_page_numbers_do_not_cut_sentences() -> None:
    first, second = PROSE[:1], PROSE[1:]
    content = read_pdf(
        make_drawn_pdf(*(draw_page(number, lines) for number, lines in enumerate([first, second, PROSE], start=7))),
        LIMITS,
    )
    assert content.text == f"{JOINED}\n\n{JOINED}"
    starts = [int(start) for start in content.metadata["page_starts"].split(",")]
    assert [content.text[start:][:9] for start in starts] == ["The engin", "cast iron", "The engin"]


def test_heads_of_left_and_right_pages_and_of_chapters_are_left_out() -> None:
    heads = ["Harbour Board", "3 Pumps"] * 4
    pages = (draw_page(number, [f"It rained on day {number * 7}."], head=head) for number, head in enumerate(heads))
    text = read_pdf(make_drawn_pdf(*pages), LIMITS).text
    assert text == "\n\n".join(f"It rained on day {number * 7}." for number in range(8))


def test_rows_of_a_table_at_the_edge_of_pages_are_no_heads() -> None:
    pages = [
        draw_lines([f"Sample {20 * number + row} of water" for row in range(3)], 72, top=750) for number in range(4)
    ]
    text = read_pdf(make_drawn_pdf(*pages), LIMITS).text
    assert text.count("Sample") == 12


def test_the_only_line_of_a_page_is_no_head() -> None:
    assert read_pdf(make_pdf("Page 1", "Page 2", "Page 3"), LIMITS).text == "Page 1\n\nPage 2\n\nPage 3"


def test_a_word_that_is_divided_at_the_end_of_a_page_is_joined() -> None:
    pages = draw_lines(PROSE[:4], 72), draw_lines(PROSE[4:], 72)
    content = read_pdf(make_drawn_pdf(*pages), LIMITS)
    assert content.text == JOINED
    start = int(content.metadata["page_starts"].split(",")[1])
    assert content.text[start:] == "national advice. It was short."


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("the novels of Jean-", "Paul were read", "Jean-Paul were"),
        ("the wards for COVID-", "19 were closed", "COVID-19 were"),
        ("it was sent by an e-", "mail to the board", "e-mail to"),
    ],
)
def test_a_hyphen_of_a_name_stays(first: str, second: str, joined: str) -> None:
    assert joined in read_pdf(make_drawn_pdf(draw_lines([f"In the old harbour {first}", second], 72)), LIMITS).text


def test_page_numbers_of_a_few_pages_are_left_out_and_other_numbers_stay() -> None:
    feet = ["1", "2", "", "", "", "", "7", "2024"]
    pages = (draw_lines([f"It rained on day {n * 7}."], 72) + draw((300, 30, foot)) for n, foot in enumerate(feet))
    text = read_pdf(make_drawn_pdf(*pages), LIMITS).text
    assert text == "\n\n".join(f"It rained on day {number * 7}." for number in range(8)) + "\n\n2024"
