"""Search for texts in all that a cluster keeps: every column of every table, every key of the broker, log files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import redis
from sqlalchemy import Engine, text

# Without partitions, whose rows are those of their tables.
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
# Matches in the text of whole rows; table is a name of our own schema.
SEARCH = "SELECT DISTINCT hit[1] FROM {table} AS row, regexp_matches(row::text, :pattern, 'gi') AS hit"


def list_tables(engine: Engine) -> set[str]:
    """Return the names of all tables."""
    with engine.connect() as connection:
        return set(connection.scalars(text(TABLES)))


def find_in_tables(engine: Engine, pattern: str) -> dict[str, set[str]]:
    """Return what matches a regular expression with one group, by table, without the tables that have nothing."""
    found = {}
    with engine.connect() as connection:
        # Uploaded files are bytes, which would be shown as hex digits.
        connection.execute(text("SET bytea_output = 'escape'"))
        for table in connection.scalars(text(TABLES)).all():
            found[table] = set(connection.scalars(text(SEARCH.format(table=table)), {"pattern": pattern}))
    return {table: hits for table, hits in found.items() if hits}


def find_in_broker(broker_url: str, pattern: str) -> set[str]:
    """Return what matches a regular expression with one group in the values of all keys."""
    with redis.Redis.from_url(broker_url) as broker:
        read = {
            b"string": broker.get,
            b"list": lambda key: broker.lrange(key, 0, -1),
            b"hash": broker.hgetall,
            b"set": broker.smembers,
            b"zset": lambda key: broker.zrange(key, 0, -1),
        }
        values = [repr(read[broker.type(key)](key)) for key in broker.scan_iter()]
    return set(re.findall(pattern, " ".join(values)))


def find_in_logs(paths: Iterable[Path], pattern: str) -> dict[str, set[str]]:
    """Return what matches a regular expression with one group, by the name of the file."""
    found = {path.name: set(re.findall(pattern, path.read_text(errors="replace"))) for path in paths}
    return {name: hits for name, hits in found.items() if hits}
