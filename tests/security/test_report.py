"""A hostile page: what a document, a summary or a file name says can run nothing and load nothing in the report."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import Cluster
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import PATIENCE

ATTACKS = (
    "<script>attacked()</script>",
    "</script><script>attacked()</script>",
    '"><img src=x onerror=attacked()>',
    "<svg/onload=attacked()>",
    "<style>*{background:url(http://evil.example/)}</style>",
    '<iframe srcdoc="<script>attacked()</script>"></iframe>',
    "[click](javascript:attacked())",
    "<!--",
    "]]>",
    "{{ attacked() }}",
    "\u2028attacked()",
)
# Attributes that fetch what they name.
FETCHING = {"src", "href", "srcset", "action", "data", "poster", "formaction", "background"}


class Page(HTMLParser):
    """What a browser would act on: handlers, what is fetched, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: list[str] = []
        self.fetched: list[str] = []
        self.scripts = 0
        self.styles: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(f"{tag} {name}={value}")
            if name in FETCHING and not (value or "").startswith(("#", "data:image/")):
                self.fetched.append(f"{tag} {name}={value}")
            if name == "style":
                self.styles.append(value or "")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.styles.append(data)


@pytest.fixture
def page(cluster: Cluster, tmp_path: Path) -> str:
    """The report of a batch in which everything that a stranger can write is an attack."""
    add_jobs(cluster.engine, [f"# {attack}\n\n{attack}" for attack in ATTACKS])
    with cluster.engine.begin() as connection:
        for attack in ATTACKS:
            update = "UPDATE jobs SET state = 'partial', finished_at = now(), pending = 0, source = :attack, "
            row = "WHERE document_sha256 IN (SELECT sha256 FROM documents WHERE text LIKE :pattern)"
            values = {"attack": attack, "pattern": f"# {attack}\n%"}
            connection.execute(text(f"{update} summary = :attack, reason = :attack {row}"), values)
            connection.execute(text("UPDATE documents SET title = :attack WHERE text LIKE :pattern"), values)
        batch = connection.execute(text("SELECT name FROM batches")).scalar_one()
    output = tmp_path / "report.html"
    settings = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    command = describe_command("-m", "gistmill", "report", batch, "--output", str(output), **settings)
    subprocess.run(command, check=True, timeout=PATIENCE)
    return output.read_text()


def test_the_report_shows_attacks_and_runs_none(page: str) -> None:
    seen = Page()
    seen.feed(page)
    assert "attacked()" in page
    assert (seen.scripts, seen.handlers) == (0, [])


def test_the_report_fetches_nothing(page: str) -> None:
    seen = Page()
    seen.feed(page)
    assert seen.fetched == []
    assert seen.styles
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", " ".join(seen.styles))
