from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Gistmill
from tests.unit.producer.sources.made_files import make_pdf


def test_a_document_is_printed_as_it_would_be_read(gistmill: Gistmill) -> None:
    Path("a.md").write_text(
        "---\nauthor: Ann\n---\n# News\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe bridge is closed.\n"
    )

    done = gistmill("text", "a.md")

    head, _, body = done.out.partition("\n\n")
    assert done.code == 0
    assert " title  News\n" in head
    assert "tables  1\n" in head
    assert "author  Ann" in head
    assert body.startswith("# News\n")
    assert body.endswith("The bridge is closed.\n")


def test_pages_and_places_come_as_json(gistmill: Gistmill) -> None:
    Path("a.pdf").write_bytes(make_pdf("The first page.", "The second page."))

    [document] = gistmill("text", "a.pdf", "--json").json

    assert [page["page"] for page in document["pages"]] == [1, 2]
    second = document["pages"][1]
    assert "The second page." in document["text"][second["start"] : second["end"]]


def test_no_server_is_needed_and_the_codes_tell_a_part_from_nothing(
    gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    Path("a.txt").write_text("Some words.")
    Path("empty.txt").touch()

    assert gistmill("text", "a.txt").code == 0
    part = gistmill("text", "a.txt", "empty.txt")
    assert (part.code, "empty.txt is empty" in part.err) == (3, True)
    assert (gistmill("text", "empty.txt").code, gistmill("text", "gone.txt").code) == (1, 2)
