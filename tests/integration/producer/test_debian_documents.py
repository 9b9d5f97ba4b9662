"""Manuals from Debian packages, in seven languages and five formats, are read whole and planned without an error."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from producer.sources import Source, read_sources
from tests.debian_documents import PACKAGES
from tests.integration.conftest import Gistmill

# Words, or letters of scripts without spaces.
WORD = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]|[^\W\u3041-\u30ff\u4e00-\u9fff]+")
# Share of the words of the plain text; tables of contents, and marks of lists and links, differ by format.
MIN_SHARE = 0.94


def test_the_documents_are_of_five_formats_and_seven_languages(debian_documents: Path) -> None:
    paths = [path for path in debian_documents.rglob("*") if path.is_file()]
    assert len(paths) >= 60
    assert {path.suffix for path in paths} == {".html", ".pdf", ".epub", ".md", ".txt"}
    assert len({package.language for package in PACKAGES}) == 7


@pytest.mark.parametrize("package", [package.name for package in PACKAGES])
def test_every_document_is_planned_without_an_error(package: str, debian_documents: Path, gistmill: Gistmill) -> None:
    planned = gistmill("plan", str(debian_documents / package), "--json")
    assert (planned.code, planned.err) == (0, "")
    assert {plan["source"] for plan in planned.json} == {path.name for path in (debian_documents / package).iterdir()}
    assert all(plan["chunks"] >= 1 for plan in planned.json)


@pytest.mark.parametrize(
    "package", ["debian-faq-it", "debian-faq-zh-cn", "developers-reference-ja", "developers-reference-ru"]
)
def test_a_manual_has_the_same_words_in_every_format(package: str, debian_documents: Path) -> None:
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for event in read_sources([debian_documents / package]):
        assert isinstance(event, Source)
        words[Path(event.name).suffix].update(WORD.findall(event.text.lower()))
    plain = words.pop(".txt")
    for counts in words.values():
        assert (plain & counts).total() >= MIN_SHARE * plain.total()
