""".env.example: every setting with its default, every variable of compose, and nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[3]
GIVEN = dict(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SETTINGS = {f"GISTMILL_{name.upper()}": field for name, field in Settings.model_fields.items()}
# Shown with an example, because they have no default that is worth showing.
EXAMPLES = {
    *("GISTMILL_DATABASE_URL", "GISTMILL_BROKER_URL", "GISTMILL_HOME"),
    *("GISTMILL_ENGINE_CA", "GISTMILL_VLLM", "GISTMILL_VLLM_OPTIONS"),
}
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_every_setting_is_there_and_nothing_else() -> None:
    # ${NAME:-default}, ${NAME:?words}, and "NAME:" alone, which passes a variable on.
    compose = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) | set(re.findall(r"^ +([A-Z_]+):$", COMPOSE, re.MULTILINE))
    assert set(GIVEN) == set(SETTINGS) | compose


def test_the_defaults_are_the_real_ones() -> None:
    defaults = {name: field.default for name, field in SETTINGS.items() if name not in EXAMPLES}
    shown = {name: GIVEN[name] for name in defaults}
    written = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in defaults.items()}
    assert shown == written | {name: "" for name, value in defaults.items() if value is None}


def test_the_defaults_of_compose_are_the_same() -> None:
    given = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE))
    assert given
    assert given == {name: GIVEN[name] for name in given}


def test_no_password_has_a_value() -> None:
    passwords = {name: value for name, value in GIVEN.items() if name.endswith(("PASSWORD", "TOKEN"))}
    assert len(passwords) == 10
    assert set(passwords.values()) == {""}


def test_a_variable_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")

    assert read_settings().model_dump() == Settings.model_construct().model_dump()
