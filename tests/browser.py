"""The Chromium that Debian has, as tests and ``tests.pictures`` open pages in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


class NoChromiumError(Exception):
    """There is no Chromium on this machine."""


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Run a browser without a window for the length of a block.

    Raises:
        NoChromiumError: none is installed.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NoChromiumError("no Chromium on this machine: apt-get install chromium (`make browser` as root does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


# For one module alone: while Playwright is open, an event loop runs in this thread and nobody else may run one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; only a machine that is not CI may do without."""
    try:
        with open_chromium() as browser:
            yield browser
    except NoChromiumError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
