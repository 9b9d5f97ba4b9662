"""``gistmill plan``: what a job would do and how long it takes, with and without servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill


@pytest.fixture
def document(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tiny_weights))
    path = tmp_path / "a.md"
    path.write_text("# Pumps\n\n" + "The pump of the north station runs again. " * 20 + "\n")
    return path


def test_a_plan_without_servers_takes_as_long_as_is_usual(
    document: Path, gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GISTMILL_DATABASE_URL")
    monkeypatch.setenv("GISTMILL_HOME", str(tmp_path / "none"))

    (plan,) = gistmill("plan", "a.md", "--max-new-tokens", "64", "--json").json

    assert plan["rates"]["origin"] == "at the speed of the packaged weights on two cores"
    assert plan["seconds"] == plan["prompt_tokens"] / 1000 + 64 / 10


# Steps of two seconds, one after the other or two at a time: the machine did twice as much in the same time.
@pytest.mark.parametrize(("interval", "busy"), [(2, 8), (1, 5)])
def test_a_plan_takes_as_long_as_the_latest_jobs_of_its_weights(
    interval: int, busy: int, document: Path, gistmill: Gistmill, cluster: Cluster, driver: Driver,
    submitted: list[JobSummary],
) -> None:  # fmt: skip
    # Each step of the driver reads 100 tokens and writes 20 in 2 s; for the four the usual rates allow 8.4 s.
    driver.run(submitted[0].job_id)
    with cluster.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE steps SET finished_at = '2026-01-01'::timestamptz + :interval * place * interval '1 second' "
                "FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM steps WHERE seconds = 2) AS numbered "
                "WHERE numbered.id = steps.id"
            ),
            {"interval": interval},
        )

    (plan,) = gistmill("plan", "a.md", "--max-new-tokens", "64", "--json").json

    assert plan["rates"]["origin"] == "at the speed of the latest 4 calls of weights default together"
    assert plan["seconds"] == pytest.approx((plan["prompt_tokens"] / 1000 + 6.4) * busy / 8.4)


def test_the_time_of_a_plan_is_printed_with_where_it_comes_from(document: Path, gistmill: Gistmill) -> None:
    done = gistmill("plan", "a.md", "--max-new-tokens", "64")

    assert done.out.splitlines()[0].split()[-1] == "time"
    assert done.out.splitlines()[1].endswith(" s")
    assert "time: at most, each job alone on one worker (7." in done.out


def test_a_document_that_a_plan_drops_is_named(document: Path, gistmill: Gistmill) -> None:
    done = gistmill("plan", "a.md", "a.md", "--json")

    assert (len(done.json), done.err) == (1, "gistmill: note: a.md is dropped: the same text was read before as a.md\n")


def test_a_document_that_is_its_own_summary_is_planned_without_a_call(document: Path, gistmill: Gistmill) -> None:
    (document.parent / "short.md").write_text("# Pumps\n\nThe pump runs again.\n")

    (plan,) = gistmill("plan", "short.md", "--json").json

    assert (plan["calls"], plan["completion_tokens"], plan["seconds"]) == (0, 0, 0)
    assert plan["reason"].endswith("it is short enough to be its own summary, without a call")


def test_a_plan_of_nothing_that_can_be_read_loads_no_weights(
    gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_WEIGHTS", "nowhere")

    done = gistmill("plan", "missing.md")

    assert (done.code, done.out) == (2, "")
    assert done.err == "gistmill: error: missing.md does not exist; check the path.\n"
