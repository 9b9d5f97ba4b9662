from __future__ import annotations

import re
from pathlib import Path

import pytest

from gistmill.cli.edge import warn_of_names
from models.setting_names import describe_unknown, list_names
from models.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("GISTMILL_SLOT", "the nearest is GISTMILL_SLOTS"),
        ("gistmill_databse_url", "the nearest is GISTMILL_DATABASE_URL"),
        ("GISTMILL_XYZ", "docs/configuration.md lists all"),
    ],
)
def test_a_name_that_is_no_setting_is_named_with_the_nearest(name: str, advice: str) -> None:
    assert list(describe_unknown([name])) == [f"{name} is no setting and has no effect; {advice}"]


def test_settings_in_any_case_and_names_of_other_readers_are_known() -> None:
    settings = [f"GISTMILL_{field.upper()}" for field in Settings.model_fields]
    compose = re.findall(r"GISTMILL_[A-Z_]+", (ROOT / "docker-compose.yml").read_text())

    assert list(describe_unknown([*settings, "gistmill_slots", *compose, "GISTMILL_NODE", "GISTMILL_TEST_CACHE"])) == []


def test_names_come_from_the_environment_and_from_the_file_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# GISTMILL_COMMENT=1\nexport GISTMILL_SLOT=3\nOTHER=1\n GISTMILL_HOME = /x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GISTMILL_ENGIN", "vllm")

    assert {"GISTMILL_ENGIN", "GISTMILL_SLOT", "GISTMILL_HOME"} <= set(list_names())
    assert "GISTMILL_COMMENT" not in list_names()


def test_a_command_warns_of_them_and_a_help_text_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GISTMILL_SLOT", "3")

    warn_of_names(["submit", "--help"])
    assert capsys.readouterr().err == ""
    warn_of_names(["status"])
    warning = "gistmill: warning: GISTMILL_SLOT is no setting and has no effect; the nearest is GISTMILL_SLOTS\n"
    assert warning in capsys.readouterr().err
