"""Servers that are away, addresses that cannot be, and roles that may not: one sentence each, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.views import JobSummary
from tests.conftest import Cluster
from tests.integration.conftest import Gistmill
from tests.roles import apply_roles

AWAY = "postgresql://user:secret@127.0.0.1:1/db"
READING = (["status"], ["watch"], ["show", "x"], ["results"], ["export"], ["report"], ["query", "SELECT 1"])
WRITING = (["cancel", "x"], ["retry", "x"], ["migrate"])


@pytest.mark.parametrize("command", [*READING, *WRITING], ids=lambda command: command[0])
def test_a_database_that_is_away_is_named_before_anything_is_printed(
    command: list[str], gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_DATABASE_URL", AWAY)

    done = gistmill(*command)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("gistmill: error: Postgres does not answer at postgresql://user:***@127.0.0.1:1/db (")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DATABASE_URL", "nonsense", "is not an address such as postgresql://"),
        ("DATABASE_URL", "postgresql://user@host:port/db", "is not an address such as postgresql://"),
        ("DATABASE_URL", "mysql://host/db", "must be an address of Postgres, not of mysql"),
        ("DATABASE_URL", f"{AWAY}?colour=red", "GISTMILL_DATABASE_URL cannot be used: invalid connection option"),
        ("BROKER_URL", "amqp://host", "must begin with redis:// or rediss://"),
        ("BROKER_URL", "redis://127.0.0.1:port/0", "is not an address such as redis://"),
        ("SLOTS", "many", "GISTMILL_SLOTS='many' is not valid"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    name: str, value: str, words: str, gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.md").write_text("Some words. " * 20)
    monkeypatch.setenv(f"GISTMILL_{name}", value)

    done = gistmill("submit", "a.md")

    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_file_of_settings_that_is_no_text_is_named(gistmill: Gistmill) -> None:
    Path(".env").write_bytes(b"\xff\xfe")

    done = gistmill("status")

    assert done.code == 2
    assert done.err.startswith("gistmill: error: .env in this folder cannot be read: ")


def test_an_analyst_who_wants_to_write_is_told_who_may(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_DATABASE_URL", apply_roles(cluster.database_url)["analyst"])

    done = gistmill("submit", "a.md", "--batch", "mine")

    assert done.code == 2
    assert "the role of postgresql://gistmill_analyst:***@127.0.0.1:" in done.err
    assert "may not do this" in done.err
    assert gistmill("status", "pile").code == 0
