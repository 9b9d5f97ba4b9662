"""A leaked dump: it holds the documents and summaries that somebody chose to store, and no way into the cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sqlalchemy import make_url, text

from tests.conftest import Cluster, wait_until
from tests.dumps import dump_database
from tests.fake_worker import describe_command
from tests.processes import PATIENCE, run_server
from tests.roles import apply_roles


def test_a_dump_holds_no_password_and_no_address_of_a_server(cluster: Cluster, tmp_path: Path) -> None:
    article = tmp_path / "article.md"
    article.write_text("# Pumps\n\nThe pump stopped on Monday.\n")
    roles = apply_roles(cluster.database_url)
    settings = {"database_url": roles["worker"], "broker_url": cluster.broker_url}
    with run_server(describe_command("-m", "tests.fake_worker", **settings), tmp_path / "worker.log"):
        submit = describe_command(
            "-m", "gistmill", "submit", str(article), **settings | {"database_url": roles["producer"]}
        )
        subprocess.run(submit, check=True, timeout=PATIENCE)
        wait_until(lambda: _is_done(cluster), "the job ends")
    dump = dump_database(cluster.database_url)
    assert "The pump stopped on Monday." in dump
    for url in (*roles.values(), cluster.database_url, cluster.broker_url):
        assert str(make_url(url).password) not in dump
    assert "postgresql://" not in dump
    assert "redis://" not in dump
    assert "SCRAM-SHA-256" not in dump


def test_passwords_are_stored_as_salted_hashes(cluster: Cluster) -> None:
    apply_roles(cluster.database_url)
    with cluster.engine.connect() as connection:
        stored = connection.execute(text("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'gistmill%'")).scalars()
        assert [password for password in stored if not password.startswith("SCRAM-SHA-256$")] == []


def _is_done(cluster: Cluster) -> bool:
    with cluster.engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM jobs WHERE state = 'succeeded'")).scalar_one() == 1
