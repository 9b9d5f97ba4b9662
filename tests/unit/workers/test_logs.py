"""What the lines on a terminal hold."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from models.settings import Settings
from workers.logs import configure_logs

SECRET = "Zanzibar is what this document is about."


@pytest.fixture
def pretty_logs(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()  # its handler writes to what capsys reads
    handlers, level = root.handlers, root.level
    configure_logs(Settings(log_format="pretty"))
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("pretty_logs")
def test_what_a_library_says_below_our_level_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("tests.library")
    library.setLevel(logging.DEBUG)
    library.debug("building the index")
    library.info("built the index")
    shown = capsys.readouterr().err
    assert "built the index" in shown
    assert "building" not in shown


@pytest.mark.usefixtures("pretty_logs")
def test_a_traceback_on_a_terminal_shows_no_text_of_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(document: str) -> None:
        raise ValueError(f"it broke after {len(document)} characters")

    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger().warning("step_error", exc_info=True)
    shown = capsys.readouterr().err
    assert f"it broke after {len(SECRET)} characters" in shown
    assert SECRET not in shown
