"""The reference pages: generated from the code, and equal to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference import __main__ as reference
from tests.reference.settings import read_docstrings, read_settings_table


def test_the_committed_pages_equal_the_code() -> None:
    assert list(reference.find_stale()) == []


def test_a_page_that_differs_is_named_with_the_command_that_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    for name in reference.PAGES:
        (tmp_path / name).write_text((reference.ROOT / name).read_text())
    page = tmp_path / "docs" / "cli.md"
    page.write_text(page.read_text().replace("--strategy", "--plan"))
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["reference", "--check"])

    assert reference.main() == 1
    assert capsys.readouterr().err == "docs/cli.md differs from the code; run: make docs\n"

    monkeypatch.setattr("sys.argv", ["reference"])
    assert reference.main() == 0
    assert page.read_text() == (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_a_default_that_depends_on_the_machine_is_shown_as_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GISTMILL_HOME", "/somewhere")
    home = read_settings_table()["home"]

    assert (home.default, home.example) == ("", "/data/gistmill")
    assert home.rule.startswith("gistmill in the user's data folder")


def test_the_string_behind_a_field_is_its_docstring() -> None:
    assert read_docstrings(_Documented) == {"documented": "A number on two lines."}


class _Documented:
    bare: int = 1
    documented: int = 2
    """A number
    on two lines."""
