"""Weights by name: registered, listed, served, refused while they are needed, forgotten."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from models import step_updates
from models.errors import UnknownIdError
from models.registry import add_weights, renew_weights
from models.settings import read_settings
from models.tables import Weights, Worker
from tests.conftest import Cluster
from tests.integration.conftest import Gistmill
from workers.weights.registration import describe_packaged_base, resolve_name


@pytest.fixture
def registered(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A base, an adapter of it and merged weights, as rows."""
    monkeypatch.delenv("GISTMILL_WEIGHTS", raising=False)
    with Session(cluster.engine) as session, session.begin():
        add_weights(session, Weights(name="base", kind="base", location="/weights/base", fingerprint="a" * 64))
        for name, kind in (("tuned", "adapter"), ("merged", "merged")):
            row = Weights(name=name, kind=kind, location=f"/weights/{name}", base="base", fingerprint=name)
            add_weights(session, row)
    return cluster


def add_worker(cluster: Cluster, weights: str) -> None:
    with Session(cluster.engine) as session, session.begin():
        step_updates.register_worker(
            session,
            Worker(
                id=f"w-{weights}", node=f"cpu0-{weights}", host="h", pid=1, device="cpu", weights=weights,
                weights_fingerprint="f", details={}, started_at=datetime.now(UTC),
            ),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "weights", "adapter"),
    [
        ("base", "/weights/base", "none"),
        ("tuned", "/weights/base", "/weights/tuned"),
        ("merged", "/weights/merged", "none"),
        ("default", "packaged", None),
    ],
)
def test_a_name_stands_for_what_is_registered(
    name: str, weights: str, adapter: str | None, registered: Cluster
) -> None:
    with Session(registered.engine) as session:
        settings = resolve_name(read_settings(weights_name=name), session)
    assert (settings.weights, settings.adapter, settings.weights_name) == (weights, adapter, name)


def test_what_is_registered_wins_over_the_environment_which_names_the_rest(
    registered: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_WEIGHTS", "someone/elsewhere")
    monkeypatch.setenv("GISTMILL_REVISION", "v2")
    with Session(registered.engine) as session:
        served = [resolve_name(read_settings(weights_name=name), session) for name in ("base", "unknown")]
    assert [(each.weights, each.revision) for each in served] == [("/weights/base", None), ("someone/elsewhere", "v2")]


def test_a_name_that_nothing_stands_for_is_refused_with_the_nearest(registered: Cluster) -> None:
    with (
        Session(registered.engine) as session,
        pytest.raises(UnknownIdError, match="'tunde' and GISTMILL_WEIGHTS is not set; the nearest is tuned"),
    ):
        resolve_name(read_settings(weights_name="tunde"), session)


def test_a_worker_refuses_an_unknown_name_before_it_starts(
    gistmill: Gistmill, registered: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = gistmill("worker", "--name", "tunde")
    assert done.code == 2
    assert "no weights are registered as 'tunde'" in done.err


@pytest.mark.parametrize("setting", ["GISTMILL_WEIGHTS", "GISTMILL_ADAPTER"])
def test_a_worker_names_weights_and_an_adapter_that_are_not_there_before_it_starts(
    setting: str, gistmill: Gistmill, base_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(base_weights))
    monkeypatch.setenv(setting, "/no/such/folder")
    done = gistmill("worker")
    assert done.code == 1
    assert "folder /no/such/folder; check the path" in done.err


def test_a_worker_whose_processes_cannot_serve_the_weights_ends(
    gistmill: Gistmill, cluster: Cluster, base_weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(base_weights, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"cut")
    ours = {"DATABASE_URL": cluster.database_url, "BROKER_URL": cluster.broker_url, "WEIGHTS": "damaged"}
    environment = {f"GISTMILL_{name}": value for name, value in (ours | {"METRICS_PORT": "0"}).items()}
    command = [sys.executable, "-c", "from gistmill.cli.main import main; main()", "worker"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "model.safetensors is damaged" in done.stdout
    assert "no worker process is left" in done.stderr


def test_the_list_tells_what_is_served(gistmill: Gistmill, registered: Cluster) -> None:
    add_worker(registered, "tuned")
    rows = {row["name"]: row["workers"] for row in gistmill("weights", "list", "--json").json}
    assert rows == {"base": 0, "tuned": 1, "merged": 0}
    printed = gistmill("weights", "list").out
    assert printed.splitlines()[0].split() == ["name", "kind", "base", "served", "as", "workers", "location"]
    assert "weights (f)" in printed


def test_what_is_served_and_not_registered_is_listed_too(gistmill: Gistmill, registered: Cluster) -> None:
    add_worker(registered, "default")
    row = gistmill("weights", "list", "--json").json[-1]
    assert (row["name"], row["kind"], row["workers"], row["location"]) == ("default", "unregistered", 1, None)
    assert gistmill("weights", "list").out.splitlines()[-1].split() == [
        "default",
        "unregistered",
        "weights",
        "(f)",
        "1",
    ]


def test_what_is_in_use_is_not_removed(gistmill: Gistmill, registered: Cluster, tmp_path: Path) -> None:
    add_worker(registered, "tuned")
    (tmp_path / "a.md").write_text("# A\n\nSomething is said here. " * 20)
    gistmill("submit", "a.md", "--weights", "tuned")
    for name, users in (
        ("base", "weights made from it (merged, tuned)"),
        ("tuned", "worker cpu0-tuned and by 1 open job"),
    ):
        done = gistmill("weights", "remove", name)
        assert done.code == 1
        assert f"'{name}' is in use by {users}; end that first" in done.err
    assert gistmill("weights", "remove", "merged").code == 0
    assert {row["name"] for row in gistmill("weights", "list", "--json").json} == {"base", "tuned"}


@pytest.mark.parametrize("command", ["show", "remove"])
def test_an_unknown_name_is_answered_with_the_nearest(command: str, gistmill: Gistmill, registered: Cluster) -> None:
    done = gistmill("weights", command, "mergd")
    assert (done.code, done.err) == (
        2,
        "gistmill: error: no weights are registered as 'mergd'; the nearest is merged\n",
    )


def test_a_folder_is_registered_with_its_fingerprint_and_only_once(
    gistmill: Gistmill, base_weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(base_weights, tmp_path / "here")
    assert gistmill("weights", "add", "mine", "here").code == 0
    [row] = gistmill("weights", "list", "--json").json
    assert (row["kind"], row["location"], len(row["fingerprint"])) == ("base", str(tmp_path / "here"), 64)
    again = gistmill("weights", "add", "mine", "here")
    assert again.code == 1
    assert "'mine' is registered already" in again.err


@pytest.mark.parametrize(
    ("folder", "message"),
    [("nothing", "there is no weights folder"), (".", "holds no weights: config.json is missing")],
)
def test_a_folder_without_weights_is_named(
    folder: str, message: str, gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = gistmill("weights", "add", "mine", folder)
    assert done.code == 1
    assert message in done.err


def test_a_folder_whose_card_is_broken_is_named(gistmill: Gistmill, base_weights: Path, tmp_path: Path) -> None:
    shutil.copytree(base_weights, tmp_path / "here")
    (tmp_path / "here" / "gistmill.json").write_text("{broken")
    done = gistmill("weights", "add", "mine", "here")
    assert done.code == 1
    assert "gistmill.json cannot be read" in done.err


def test_the_packaged_weights_are_registered_without_being_converted_and_brought_up_to_date(cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        add_weights(session, Weights(name="gemma", kind="base", location="packaged", fingerprint="of an older version"))
        add_weights(session, Weights(name="mine", kind="base", location="/mine", fingerprint="mine"))
        for name in ("gemma", "mine", "new"):
            renew_weights(session, describe_packaged_base(name))
    with Session(cluster.engine) as session:
        found = {name: session.get_one(Weights, name).location for name in ("gemma", "mine", "new")}
        assert session.get_one(Weights, "gemma").fingerprint == describe_packaged_base("x").fingerprint
    assert found == {"gemma": "packaged", "mine": "/mine", "new": "packaged"}


def test_jobs_for_weights_that_nobody_serves_are_submitted_with_a_warning(
    gistmill: Gistmill, registered: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("# A\n\nSomething is said here. " * 20)
    assert gistmill("submit", "a.md", "--batch", "one").err == ""
    add_worker(registered, "tuned")
    assert gistmill("submit", "a.md", "--batch", "two", "--weights", "tuned").err == ""
    done = gistmill("submit", "a.md", "--batch", "three", "--weights", "tunde")
    assert done.code == 0
    assert "no worker serves weights 'tunde' now; the nearest is tuned; the jobs wait until one does" in done.err
