"""A database that a newer version has made is refused by name, and left as it is."""

from __future__ import annotations

import pytest

from migrations.run import upgrade
from models.errors import NewerSchemaError
from tests.conftest import Cluster


def test_a_schema_that_this_version_does_not_know_is_refused(cluster: Cluster) -> None:
    with cluster.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(NewerSchemaError, match="schema 9999, and this version of Gistmill knows schemas up to 0"):
        upgrade(cluster.engine)
