"""The pages of the documentation: their links lead somewhere, and their commands are ones that the command line has."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from tests.integration.deploy.commands import check_gistmill

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# Blocks of code are neither headings nor links.
FENCED = re.compile(r"^[ ]*```.*?^[ ]*```", re.MULTILINE | re.DOTALL)
# Files that a command line names must exist before it parses.
FILE = re.compile(r"[\w./-]+\.(?:csv|txt|json|jsonl|parquet|html)")


def list_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def list_commands(page: Path) -> list[str]:
    """Return the calls of gistmill in a page's blocks of shell commands."""
    blocks = re.findall(r"^ *```(?:sh|bash|)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(r"^ *(?:GISTMILL_\w+=\S+ )*gistmill (.+)$", "\n".join(blocks), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in list_anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_command_of_the_pages_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [command for page in PAGES for command in list_commands(page)]
    assert len(commands) > 30

    for command in commands:
        # The shell takes a redirection for itself.
        arguments = list(takewhile(lambda word: word != ">", shlex.split(command, comments=True)))
        for name in filter(FILE.fullmatch, arguments):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
        check_gistmill(arguments)


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [page.name for page in PAGES if page.name != "README.md" and f"{page.name})" not in readme] == []
