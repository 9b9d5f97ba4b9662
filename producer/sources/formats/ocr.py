"""Text recognition on pictures and on pages of a PDF that are pictures, by RapidOCR, whose wheel brings its models.

It needs the extra ``ocr``. The models read Latin letters, Chinese and Japanese.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from producer.errors import UnreadableError
from producer.sources.formats.pdf_layout import lay_out_lines
from producer.sources.formats.pdf_lines import Line

# Resolution of the pictures, in dots per inch; letters of a book are then some 30 pixels high.
RESOLUTION = 200
POINTS_PER_INCH = 72
# Pixels of the longer side of a picture; a poster is drawn smaller.
MAX_PIXELS = 4000
# Mean probability of the lines of a page below which it is in another script, or no text.
MIN_SCORE = 0.88
INSTALL = "needs an extra for text recognition: pip install --constraint constraints.txt '.[ocr]'"


def recognize_pages(data: bytes, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield pages with their recognized texts, "" for a page that is not readable.

    Args:
        data: bytes of the PDF file.
        numbers: numbers of the pages, from 1.

    Raises:
        UnreadableError: the extra is not installed.
    """
    try:
        from pypdfium2 import PdfDocument
    except ImportError as error:
        raise UnreadableError(INSTALL) from error
    recognize = _load_recognizer()
    document = PdfDocument(data)
    for number in numbers:
        page = document[number - 1]
        scale = min(RESOLUTION / POINTS_PER_INCH, MAX_PIXELS / max(page.get_size()))
        yield number, _write_lines(recognize(page.render(scale=scale).to_numpy()[:, :, :3]))


def recognize_picture(picture: Any) -> str:
    """Return the recognized text of a picture of Pillow, in RGB; "" if it is not readable.

    Raises:
        UnreadableError: the extra is not installed.
    """
    import numpy as np

    recognize = _load_recognizer()
    picture.thumbnail((MAX_PIXELS, MAX_PIXELS))
    # The models take the colours in the order of OpenCV.
    return _write_lines(recognize(np.asarray(picture)[:, :, ::-1]))


@cache
def _load_recognizer() -> Any:
    """Return the recognizer; loading its models takes a second."""
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise UnreadableError(INSTALL) from error
    return RapidOCR(params={"Global.log_level": "critical"})


def _write_lines(found: Any) -> str:
    """Return the lines of a page in reading order, "" if their probabilities are low."""
    if found.txts is None or sum(found.scores) < MIN_SCORE * len(found.scores):
        return ""
    return lay_out_lines(_make_line(box, text) for box, text in zip(found.boxes, found.txts, strict=True))


def _make_line(box: Any, text: str) -> Line:
    """Return a line with its box, whose corners are in pixels from the upper left corner."""
    across, down = [float(corner[0]) for corner in box], [float(corner[1]) for corner in box]
    return Line(" ".join(text.split()), min(across), max(across), -max(down), -min(down))
