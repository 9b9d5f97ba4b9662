"""Takes the pictures in docs/images from a running cluster: ``python -m tests.pictures BATCH``.

Run it against ``gistmill up`` after a batch has ended there, look at what it made, and commit it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

import gistmill
from gistmill.cli.edge import run
from gistmill.cli.main import make_group
from models.settings import SERVERS_FILE, read_settings
from tests.browser import open_chromium

FOLDER = Path(__file__).parents[1] / "docs" / "images"
WIDTH = 1200
COLOURS = 256
# Flower asks its workers before it shows them, and counts a moment later.
ROWS_MILLISECONDS = 120_000
SETTLED_MILLISECONDS = 3000


def main() -> int:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("batch")
    batch = parser.parse_args().batch
    servers = json.loads((read_settings().home / SERVERS_FILE).read_text())
    live, flower = servers["http_url"], servers["flower_url"]
    with gistmill.connect() as client:
        followed = client.batch(batch)
        job = max(followed.summaries(), key=lambda summary: len(summary.sentences))
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_chromium() as browser:
        report = Path(folder) / "report.html"
        if code := run(make_group(), name="gistmill", arguments=["report", batch, "--output", str(report)]):
            return code
        take(browser, report.as_uri(), "report", height=1120)
        take(browser, report.as_uri(), "report-document", height=900, prepare=open_document)
        take(browser, f"{live}/batches/{followed.id}", "live-batch", height=760)
        take(browser, f"{live}/jobs/{job.id}", "live-document", height=760, prepare=light_sentence)
        take(browser, f"{flower}/workers", "flower-workers", height=480, prepare=await_rows)
        take(browser, f"{flower}/tasks", "flower-tasks", height=620, prepare=await_rows)
    return 0


def take(
    browser: Browser, url: str, name: str, *, height: int, prepare: Callable[[Page], None] = lambda _: None
) -> None:
    """Save what a browser window of that height shows."""
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(url, wait_until="networkidle")
    prepare(page)
    picture = page.screenshot()
    page.close()
    # A page has few colours, and a palette of them a third of the size.
    reduced = Image.open(BytesIO(picture)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    reduced.save(FOLDER / f"{name}.png", optimize=True)


def await_rows(page: Page) -> None:
    """Wait until Flower has filled its table."""
    page.locator("tbody tr td:nth-child(3)").first.wait_for(timeout=ROWS_MILLISECONDS)
    page.wait_for_timeout(SETTLED_MILLISECONDS)


def light_sentence(page: Page) -> None:
    """Point at the second sentence of the summary, whose passages light up in the source."""
    page.locator("#summary .sentence").nth(1).hover()


def open_document(page: Page) -> None:
    """Show the document with the most steps, with its last step and the first of those below it open."""
    articles = page.locator("article")
    counts = [articles.nth(index).locator("details").count() for index in range(articles.count())]
    article = articles.nth(counts.index(max(counts)))
    for step in range(2):
        article.locator("details > summary").nth(step).click()
    article.evaluate("element => element.scrollIntoView()")


if __name__ == "__main__":
    sys.exit(main())
