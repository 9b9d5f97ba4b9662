"""``gistmill doctor`` on real servers, and before anything is set up."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from migrations.run import downgrade
from models.tables import Worker
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Done, Gistmill


def list_conditions(done: Done) -> dict[str, str]:
    return {one["subject"]: one["condition"] for one in done.json["diagnoses"]}


def test_a_sound_cluster_has_nothing_broken(gistmill: Gistmill, driver: Driver) -> None:
    driver.register()

    done = gistmill("doctor", "--json")

    found = list_conditions(done)
    assert (done.code, done.json["is_sound"]) == (0, True)
    assert {found[name] for name in ("settings", "results database", "tables", "broker", "workers")} == {"ok"}
    shown = gistmill("doctor").out
    assert "1 on cpu for weights default" in shown
    assert shown.endswith("nothing is broken\n")


def test_a_worker_that_runs_here_has_its_memory_already(gistmill: Gistmill, cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        worker = Worker(id="w", node="cpu@here", host="this boot", pid=1, device="cpu", weights="default")
        worker.weights_fingerprint, worker.details = "f", {"hostname": socket.gethostname()}
        session.add(worker)

    [memory] = [one for one in gistmill("doctor", "--json").json["diagnoses"] if one["subject"] == "memory"]

    assert memory["condition"] == "ok"
    assert memory["words"].endswith("beside the worker that runs here")


def test_servers_that_do_not_answer_are_broken_without_their_passwords(
    gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/db")
    monkeypatch.setenv("GISTMILL_BROKER_URL", "redis://:secret@127.0.0.1:1/0")

    done = gistmill("doctor")

    assert done.code == 1
    assert "secret" not in done.out
    assert "Postgres does not answer at postgresql://user:***@127.0.0.1:1/db" in done.out
    assert "does not answer at redis://127.0.0.1:1/0" in done.out
    assert done.out.splitlines()[-1].startswith("broken: results database, broker")


@pytest.mark.parametrize(
    ("revision", "condition", "advice"),
    [("0007", "broken", "gistmill migrate"), ("base", "broken", "gistmill migrate"), (None, "ok", "")],
)
def test_tables_of_another_version_are_broken(
    revision: str | None, condition: str, advice: str, gistmill: Gistmill, cluster: Cluster
) -> None:
    if revision is not None:
        downgrade(cluster.engine, revision)

    done = gistmill("doctor", "--json")

    assert list_conditions(done)["tables"] == condition
    found = next(one for one in done.json["diagnoses"] if one["subject"] == "tables")
    assert advice in (found["advice"] or "")


def test_tables_of_a_newer_version_ask_for_that_version(gistmill: Gistmill, cluster: Cluster) -> None:
    with cluster.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert "revision 9999 is of a newer version" in gistmill("doctor").out


def test_a_broker_that_drops_messages_is_broken(gistmill: Gistmill, cluster: Cluster) -> None:
    broker = redis.Redis.from_url(cluster.broker_url)
    broker.config_set("maxmemory-policy", "allkeys-lru")
    try:
        done = gistmill("doctor")
    finally:
        broker.config_set("maxmemory-policy", "noeviction")

    assert done.code == 1
    assert "drops messages when it is full (allkeys-lru)" in done.out


def test_it_works_before_anything_is_set_up_and_imports_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from gistmill.cli.edge import run\n"
        "from gistmill.cli.main import make_group\n"
        "code = run(make_group(), name='gistmill', arguments=['doctor'])\n"
        "assert not {'torch', 'transformers', 'nltk'} & {*sys.modules}\n"
        "sys.exit(code)"
    )
    environment = {"PATH": str(tmp_path), "GISTMILL_HOME": str(tmp_path / "home"), "GISTMILL_FLOWER_PORT": "0"}
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment | paths,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "none is running" in done.stdout
    assert "start one with: gistmill up" in done.stdout
    assert (done.stderr, "nothing is broken" in done.stdout or "memory" in done.stdout.splitlines()[-1]) == ("", True)
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_setting_is_the_diagnosis(gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GISTMILL_SLOTS", "many")

    done = gistmill("doctor")

    assert (done.code, "GISTMILL_SLOTS='many' is not valid" in done.out) == (1, True)
