"""Plans of the statements that run on an engine, each explained with its values before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event

from tests.conftest import Cluster

PARTITION = re.compile(r"(?:steps|step_attempts)_(\w+)")


@contextmanager
def record_partitions(cluster: Cluster, *engines: Engine) -> Iterator[list[tuple[str, set[str]]]]:
    """Collect the partitions of steps and attempts that each statement reads, as Postgres counts when it runs them.

    Args:
        cluster: its database is asked by a connection of its own where the statement's connection has no transaction.
        engines: those whose statements are explained.
    """
    seen: list[tuple[str, set[str]]] = []

    def explain(connection: Connection, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "steps" not in statement and "step_attempts" not in statement and "cached_results" not in statement:
            return
        own = connection.connection.dbapi_connection
        assert isinstance(own, psycopg.Connection)
        values = values[0] if isinstance(values, list) else values
        if own.autocommit:
            url = cluster.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(url) as other:
                partitions = _read_partitions(other, statement, values)
                other.rollback()
        else:
            own.execute("SAVEPOINT explained")
            partitions = _read_partitions(own, statement, values)
            own.execute("ROLLBACK TO SAVEPOINT explained")
        seen.append((statement, partitions))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", explain)


def _read_partitions(connection: psycopg.Connection, statement: str, values: Any) -> set[str]:
    cursor = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)  # type: ignore[call-overload]
    return set(_find_partitions(cursor.fetchone()[0][0]["Plan"]))


def _find_partitions(node: dict[str, Any]) -> Iterator[str]:
    """Find the partitions that a scan has read; one that was pruned while the statement ran has no loops."""
    relation = PARTITION.fullmatch(node.get("Relation Name", ""))
    if relation and node["Actual Loops"] and "Scan" in node["Node Type"]:
        yield relation[1]
    for child in node.get("Plans", ()):
        yield from _find_partitions(child)
