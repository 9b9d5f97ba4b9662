"""The views of a migrated database are those of the files, and no file that a revision has applied ever changes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from sqlalchemy import Connection, text

from migrations.run import downgrade, upgrade
from migrations.views import FOLDER, read_view
from tests.conftest import Cluster

# Digests of what each revision applies. A new revision adds lines and changes none: databases have these texts.
DIGESTS = {
    ("job_summaries", "0002"): "8ed9a1795eb6068b",
    ("job_summaries", "0004"): "b49a1a8d8ae10b58",
    ("job_summaries", "0005"): "da19f5e5940e508f",
    ("job_summaries", "0006"): "d59c11da761d3c28",
    ("job_summaries", "0008"): "9d69a6294f29e5e1",
    ("job_summaries", "0010"): "d0045b2303d6f829",
    ("job_summaries", "0013"): "7c6ed90393230433",
    ("job_summaries", "0014"): "cc85be71aade4c1f",
    ("batch_progress", "0002"): "9854c5a3f156d875",
    ("batch_progress", "0004"): "47c8875c66352807",
    ("batch_progress", "0005"): "a8fa58834ef51730",
    ("batch_progress", "0006"): "52afe1380d7c65ee",
    ("batch_progress", "0013"): "6c47520faaee0b6e",
    ("step_timeline", "0002"): "123990083f605723",
    ("step_timeline", "0004"): "56be18f52d08ccfd",
    ("weights_comparison", "0002"): "86adceeea39a9fbf",
    ("weights_comparison", "0004"): "9adc8f06ed61cede",
    ("weights_comparison", "0006"): "ed9d23908ea3b8b9",
    ("weights_comparison", "0014"): "2ab5f00d0795de07",
    ("chunk_texts", "0002"): "069e2c537c924174",
    ("summary_sentences", "0006"): "0849e47271eb24ef",
    ("summary_sentences", "0007"): "db30d8e544175a41",
}


def test_the_database_has_the_views_of_the_files(cluster: Cluster) -> None:
    files = {path.stem: path.read_text() for path in FOLDER.glob("*.sql")}
    with cluster.engine.connect() as connection:
        migrated = read_views(connection)
        for sql in files.values():
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        assert read_views(connection) == migrated
    assert migrated.keys() == files.keys()


@pytest.mark.parametrize(("view", "revision"), DIGESTS)
def test_a_definition_that_a_revision_applies_never_changes(view: str, revision: str) -> None:
    assert sha256(read_view(view, revision).encode()).hexdigest()[:16] == DIGESTS[view, revision]


def test_every_definition_is_applied_by_one_revision() -> None:
    assert len(list(FOLDER.rglob("*.sql"))) == len(DIGESTS)


def test_an_upgrade_keeps_the_rights_to_read_the_views(cluster: Cluster) -> None:
    downgrade(cluster.engine, "base")
    upgrade(cluster.engine, "0002")
    with cluster.engine.begin() as connection:
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"))
    upgrade(cluster.engine)
    with cluster.engine.connect() as connection:
        readable = text(
            "SELECT viewname, has_table_privilege('public', viewname, 'SELECT') FROM pg_views "
            "WHERE schemaname = 'public'"
        )
        # A new view has no rights to keep: roles.sql is to be run after every migration.
        unreadable = [name for name, is_readable in connection.execute(readable) if not is_readable]
        assert unreadable == ["summary_sentences"]


def test_the_views_come_and_go_with_their_migration(cluster: Cluster) -> None:
    views = text("SELECT count(*) FROM pg_views WHERE schemaname = 'public'")

    downgrade(cluster.engine, "0001")
    with cluster.engine.connect() as connection:
        assert connection.execute(views).scalar_one() == 0
    upgrade(cluster.engine)
    with cluster.engine.connect() as connection:
        assert connection.execute(views).scalar_one() == 6


def read_views(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Return the definition and the comment of each view, as Postgres understood them."""
    statement = text(
        "SELECT relname, pg_get_viewdef(oid), obj_description(oid, 'pg_class') FROM pg_class "
        "WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    return {name: (definition, comment) for name, definition, comment in connection.execute(statement)}
