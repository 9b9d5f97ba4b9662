"""Text recognition: a scanned page is read where it was asked for, and named as such."""

import io
from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageDraw, ImageFont

from producer.errors import UnreadableError
from producer.sources import ReadLimits, Source, SourceNote, SourceProblem, read_sources
from producer.sources.formats.pdf import read_pdf
from producer.sources.formats.pictures import read_picture
from producer.sources.limits import RECOGNITION_LIMITS

LINES = ("The ferry runs every twenty minutes.", "In winter it stops at nine.", "Die Fähre fährt täglich.")
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def make_scan(*lines: str, kind: str = "PDF") -> bytes:
    """Return a picture of these lines, or a PDF whose only page it is."""
    picture = Image.new("L", (1240, 600), 255)
    drawing = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        drawing.text((80, 80 + 50 * number), line, fill=0, font=ImageFont.truetype(str(FONT), 28))
    buffer = io.BytesIO()
    more = [picture] if kind == "TIFF" else []
    picture.save(buffer, kind, resolution=150, **({"save_all": True, "append_images": more} if more else {}))
    return buffer.getvalue()


def test_a_scan_is_read_within_the_bounds_of_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(make_scan(*LINES))
    note, source = read_sources([tmp_path / "a.pdf"], limits=RECOGNITION_LIMITS)
    assert isinstance(note, SourceNote)
    assert note.message == "a.pdf was read by text recognition on page 1, which may have misread it."
    assert isinstance(source, Source)
    # Spaces and single letters may be misread.
    for words in ("The ferry runs every twenty minutes", "stops at nine", "fährt täglich"):
        assert words in source.text


def test_a_scan_is_refused_unless_recognition_was_asked_for() -> None:
    with pytest.raises(UnreadableError, match=r"a scan.*--ocr \(pip install .* '\.\[ocr\]'\)"):
        read_pdf(make_scan(*LINES), ReadLimits())


def test_a_picture_without_text_stays_refused() -> None:
    with pytest.raises(UnreadableError, match="without any text"):
        read_pdf(make_scan(), RECOGNITION_LIMITS)


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("tif", "TIFF")])
def test_a_picture_is_read_where_recognition_was_asked_for(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(make_scan(*LINES, kind=kind))
    (problem,) = read_sources([path])
    assert isinstance(problem, SourceProblem)
    assert (problem.exit_code, "is a picture; submit it with --ocr" in problem.message) == (2, True)
    note, source = read_sources([path], limits=RECOGNITION_LIMITS)
    assert isinstance(note, SourceNote)
    assert note.message == f"a.{suffix} was read by text recognition, which may have misread it."
    assert isinstance(source, Source)
    assert "The ferry runs every twenty minutes" in source.text


def test_a_picture_with_nothing_to_read_is_refused() -> None:
    with pytest.raises(UnreadableError, match="holds no text that recognition is sure of"):
        read_picture(make_scan(kind="PNG"), RECOGNITION_LIMITS)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", make_scan(*LINES, kind="PNG")[:900]])
def test_a_damaged_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    (problem,) = read_sources([tmp_path / "a.png"], limits=RECOGNITION_LIMITS)
    assert isinstance(problem, SourceProblem)
    assert "is not a readable picture file" in problem.message
