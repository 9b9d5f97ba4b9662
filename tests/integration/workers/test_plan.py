"""``gistmill plan``: what a job would do and how long it takes, with and without servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.views import JobSummary
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill


@pytest.fixture
def document(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tiny_weights))
    path = tmp_path / "a.md"
    path.write_text("# Pumps\n\nThe pump runs again.\n")
    return path


def test_a_plan_without_servers_takes_as_long_as_is_usual(
    document: Path, gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GISTMILL_DATABASE_URL")
    monkeypatch.setenv("GISTMILL_HOME", str(tmp_path / "none"))

    (plan,) = gistmill("plan", "a.md", "--max-new-tokens", "64", "--json").json

    assert plan["rates"]["origin"] == "as the packaged weights on two cores"
    assert plan["seconds"] == plan["prompt_tokens"] / 1000 + 64 / 10


def test_a_plan_takes_as_long_as_the_latest_jobs_of_its_weights(
    document: Path, gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    # Each step of the driver reads 100 tokens and writes 20 in 2 s, for which the usual rates allow 2.1 s.
    driver.run(submitted[0].job_id)

    (plan,) = gistmill("plan", "a.md", "--max-new-tokens", "64", "--json").json

    assert plan["rates"]["origin"] == "as the latest 4 calls of weights default"
    assert plan["seconds"] == pytest.approx((plan["prompt_tokens"] / 1000 + 6.4) * 2 / 2.1)


def test_the_time_of_a_plan_is_printed_with_where_it_comes_from(document: Path, gistmill: Gistmill) -> None:
    done = gistmill("plan", "a.md", "--max-new-tokens", "64")

    assert done.out.splitlines()[0].split()[-1] == "time"
    assert done.out.splitlines()[1].endswith(" s")
    assert "time: at most, each job alone on one worker (6." in done.out
