"""The schema's history on a real Postgres: every revision upwards and downwards, and the tables at its end."""

from __future__ import annotations

from alembic import command
from alembic.script import ScriptDirectory

from migrations.run import downgrade, make_config, upgrade
from tests.conftest import Cluster
from tests.dumps import dump_database

REVISIONS = [script.revision for script in ScriptDirectory.from_config(make_config()).walk_revisions()][::-1]


def test_a_downgrade_restores_the_schema_that_the_older_revision_made(cluster: Cluster) -> None:
    downgrade(cluster.engine, "base")
    made = {}
    for revision in REVISIONS:
        upgrade(cluster.engine, revision)
        made[revision] = dump_schema(cluster)
    for revision in reversed(REVISIONS[:-1]):
        downgrade(cluster.engine, revision)
        assert dump_schema(cluster) == made[revision]
    upgrade(cluster.engine)
    assert dump_schema(cluster) == made[REVISIONS[-1]]


def test_the_tables_are_those_that_the_code_declares(cluster: Cluster) -> None:
    config = make_config()
    with cluster.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def dump_schema(cluster: Cluster) -> str:
    # The key is random otherwise, and in every dump.
    return dump_database(cluster.database_url, "--schema-only", "--restrict-key=schema")
