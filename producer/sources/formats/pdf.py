"""Reader of PDF files: the text page by page, columns in reading order, and where in the text each page begins."""

from __future__ import annotations

import io
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

from pdfminer.converter import PDFPageAggregator
from pdfminer.layout import LAParams, LTImage, LTItem, LTPage
from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
from pdfminer.pdfexceptions import PDFException
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.psexceptions import PSException
from pdfminer.utils import Matrix, decode_text

from producer.errors import LimitError, UnreadableError
from producer.sources.formats.hyphens import PAGE_MARK, join_words
from producer.sources.formats.pdf_layout import lay_out_lines, list_lines
from producer.sources.formats.pdf_lines import Line
from producer.sources.formats.pdf_paragraphs import find_seam
from producer.sources.formats.pdf_running import drop_running_rows
from producer.sources.limits import ReadLimits
from producer.sources.page_starts import PAGE_STARTS, write_page_starts
from producer.sources.source import READ_SCANS, Content
from producer.sources.text import clean_label, normalize_text
from producer.sources.titles import PROGRAM, is_placeholder

if TYPE_CHECKING:
    from pdfminer.pdffont import PDFFont

# Fields of a PDF's information dictionary that become metadata.
FIELDS = ("Title", "Author", "Subject", "CreationDate")
# A character that its font gives no meaning to.
UNKNOWN = "\ufffd"
# Share of such characters from which a text is none. Formulas in a readable paper have a few of a hundred.
MAX_UNKNOWN_SHARE = 0.3
# Characters of a page below which its text may be a stamp or a page number on a scan.
MIN_PAGE_CHARS = 8
PAGE_GAP = "\n\n"
SHOWN_PAGES = 8
# Errors by which the parser gives up a damaged page.
PAGE_ERRORS = (
    PSException, PDFException, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError,
    RecursionError, OverflowError, zlib.error, struct.error,
)  # fmt: skip


def read_pdf(data: bytes, limits: ReadLimits) -> Content:
    """Return the text of a PDF file; its metadata holds the offsets at which its pages begin.

    Raises:
        UnreadableError: it is corrupted, encrypted or holds no readable text.
        LimitError: it has too many pages.
    """
    document = _open(data)
    pages: list[list[list[Line]]] = []
    heights: list[float] = []
    scans: list[int] = []
    damaged: list[int] = []
    for number, page in enumerate(_list_pages(document, limits), start=1):
        layouts = _analyze(page)
        found = [[line for line in list_lines(layout) if line.text] for layout in layouts]
        if not layouts:
            damaged.append(number)
        elif sum(len(line.text) for lines in found for line in lines) < MIN_PAGE_CHARS and _has_picture(layouts[0]):
            scans.append(number)
        pages.append(found)
        heights.append(layouts[0].height if layouts else 0.0)
    texts = _write_pages(pages, heights)
    recognized = _recognize_pages(data, texts, scans) if limits.recognize_text else []
    scans = [number for number in scans if number not in recognized]
    texts = join_words(_mark_pages(texts)).split(PAGE_MARK)
    text = "".join(texts)
    _check_readable(text)
    metadata = _read_metadata(document)
    title = metadata.pop("title", "")
    notes = _describe_pages(scans, damaged, recognized, text)
    return Content(text, "text", title, metadata | {PAGE_STARTS: write_page_starts(texts, "")}, notes)


def _write_pages(pages: Sequence[Sequence[list[Line]]], heights: Sequence[float]) -> list[str]:
    """Return the texts of pages, each of which has its upright lines and those that lie on a side."""
    upright = drop_running_rows([page[0] if page else [] for page in pages], heights)
    texts = []
    for lines, page in zip(upright, pages, strict=True):
        found = [normalize_text(lay_out_lines(turned)).strip() for turned in (lines, *page[1:])]
        # A stamp at the margin comes last.
        texts.append("\n\n".join(sorted(filter(None, found), key=len, reverse=True)))
    return texts


def _mark_pages(texts: Sequence[str]) -> str:
    """Return the text of all pages, with a mark at the beginning of each but the first."""
    marked = texts[0] if texts else ""
    for before, after in pairwise(texts):
        seam = find_seam(before, after) if before and after else PAGE_GAP
        marked += f"{seam}{PAGE_MARK}{after}"
    return marked


class _PageAggregator(PDFPageAggregator):
    """Collector of a page's layout that marks characters without a meaning, and leaves out those that lie on a side."""

    def __init__(self, resources: PDFResourceManager) -> None:
        super().__init__(resources, laparams=LAParams(boxes_flow=None))
        # Turns, in degrees, that make the others upright.
        self.turns: set[int] = set()

    def render_char(self, matrix: Matrix, *args: Any) -> float:
        """Draw a character, unless it lies on a side."""
        if abs(matrix[1]) <= abs(matrix[0]):
            width: float = super().render_char(matrix, *args)
            return width
        self.turns.add(90 if matrix[1] > 0 else 270)
        shown = self.cur_item
        self.cur_item = LTPage(0, shown.bbox)
        width = super().render_char(matrix, *args)
        self.cur_item = shown
        return width

    def handle_undefined_char(self, _font: PDFFont, _cid: int) -> str:
        """Return the mark instead of pdfminer's "(cid:55)"."""
        return UNKNOWN


def _open(data: bytes) -> PDFDocument:
    try:
        return PDFDocument(PDFParser(io.BytesIO(data)))
    except (PDFEncryptionError, PDFPasswordIncorrect) as error:
        raise UnreadableError("is encrypted; save a copy without a password") from error


def _list_pages(document: PDFDocument, limits: ReadLimits) -> Iterator[PDFPage]:
    pages = list(islice(PDFPage.create_pages(document), limits.pages + 1))
    if len(pages) > limits.pages:
        raise LimitError(f"has more than {limits.pages:,} pages; split it")
    yield from pages


def _analyze(page: PDFPage) -> list[LTPage]:
    """Return the layout of a page, and those of its text that lies on a side; none if it is damaged."""
    layout, turns = _lay_out(page)
    if layout is None:
        return []
    layouts = [layout]
    for turn in sorted(turns):
        page.rotate = (page.rotate + turn) % 360
        turned, _ = _lay_out(page)
        page.rotate = (page.rotate - turn) % 360
        layouts += [turned] if turned is not None else []
    return layouts


def _lay_out(page: PDFPage) -> tuple[LTPage | None, set[int]]:
    """Return the layout of upright text, None if the page is damaged, and the turns that its other text needs."""
    resources = PDFResourceManager()
    device = _PageAggregator(resources)
    try:
        PDFPageInterpreter(resources, device).process_page(page)
    except PAGE_ERRORS:
        return None, set()
    return device.get_result(), device.turns


def _has_picture(items: Iterable[LTItem]) -> bool:
    return any(isinstance(item, LTImage) or (isinstance(item, Iterable) and _has_picture(item)) for item in items)


def _recognize_pages(data: bytes, texts: list[str], scans: list[int]) -> list[int]:
    """Put the recognized texts of scanned and unreadable pages in the place of theirs; return their numbers."""
    numbers = sorted({*scans, *(number for number, text in enumerate(texts, start=1) if not _is_readable(text))})
    if not numbers:
        return []
    from producer.sources.formats.ocr import recognize_pages

    recognized = []
    for number, text in recognize_pages(data, numbers):
        if text.strip():
            texts[number - 1] = normalize_text(text).strip()
            recognized.append(number)
    return recognized


def _is_readable(text: str) -> bool:
    visible = "".join(text.split())
    return sum(map(_is_unknown, visible)) <= MAX_UNKNOWN_SHARE * len(visible)


def _check_readable(text: str) -> None:
    """Reject a text that is missing, or whose fonts do not tell which characters they draw."""
    if not text.strip():
        raise UnreadableError(f"holds pages without any text (a scan?); {READ_SCANS}")
    if not _is_readable(text):
        raise UnreadableError(
            f"holds no readable text: its fonts do not tell which characters they draw; {READ_SCANS}, "
            "or export it again with its fonts"
        )


def _is_unknown(character: str) -> bool:
    """Return True for the mark, for private characters and for control characters."""
    return character == UNKNOWN or unicodedata.category(character) in {"Co", "Cc", "Cn"}


def _describe_pages(scans: list[int], damaged: list[int], recognized: list[int], text: str) -> tuple[str, ...]:
    notes = []
    if recognized:
        notes.append(f"was read by text recognition on {_list_numbers(recognized)}, which may have misread it")
    if scans:
        notes.append(f"holds pictures without text on {_list_numbers(scans)}, which are left out; {READ_SCANS}")
    if damaged:
        notes.append(f"is damaged on {_list_numbers(damaged)}, which are left out; save it again")
    if unknown := text.count(UNKNOWN):
        notes.append(f"holds {unknown:,} characters whose fonts do not tell their meaning, shown as {UNKNOWN}")
    return tuple(notes)


def _list_numbers(numbers: list[int]) -> str:
    more = f" and {len(numbers) - SHOWN_PAGES} more" if len(numbers) > SHOWN_PAGES else ""
    return f"page{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:SHOWN_PAGES]))}{more}"


def _read_metadata(document: PDFDocument) -> dict[str, str]:
    """Return the title, author, subject and date, without titles that a program wrote."""
    fields = chain.from_iterable(info.items() for info in document.info)
    values = {name.lower(): value for name, value in fields if name in FIELDS and isinstance(value, bytes)}
    labels = {name: clean_label(decode_text(value)) for name, value in values.items()}
    if is_placeholder(labels.get("title", "")):
        labels.pop("title", None)
    elif "title" in labels:
        labels["title"] = PROGRAM.sub("", labels["title"])
    return {name: label for name, label in labels.items() if label}
