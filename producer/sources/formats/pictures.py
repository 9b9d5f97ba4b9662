"""Reader of pictures (PNG, JPEG, TIFF and others) by text recognition, page by page where a file has several."""

from __future__ import annotations

import io

from producer.errors import UnreadableError
from producer.sources.formats.ocr import INSTALL, recognize_picture
from producer.sources.limits import ReadLimits
from producer.sources.page_starts import PAGE_STARTS, write_page_starts
from producer.sources.source import Content
from producer.sources.text import normalize_text

PAGE_GAP = "\n\n"
NOTE = "was read by text recognition, which may have misread it"


def read_picture(data: bytes, limits: ReadLimits) -> Content:
    """Return the recognized text of a picture.

    Raises:
        UnreadableError: no text is found in it, or the extra is not installed.
    """
    try:
        from PIL import Image, ImageOps, ImageSequence
    except ImportError as error:
        raise UnreadableError(INSTALL) from error
    pages: list[str] = []
    with Image.open(io.BytesIO(data)) as picture:
        for frame in ImageSequence.Iterator(picture):
            if len(pages) == limits.pages:
                break
            pages.append(normalize_text(recognize_picture(ImageOps.exif_transpose(frame).convert("RGB"))).strip())
    if not any(pages):
        raise UnreadableError("holds no text that recognition is sure of; give a sharper picture, or its text")
    metadata = {PAGE_STARTS: write_page_starts(pages, PAGE_GAP)} if len(pages) > 1 else {}
    return Content(PAGE_GAP.join(pages), "text", metadata=metadata, notes=(NOTE,))
