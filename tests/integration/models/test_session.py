"""Transactions that stand still, on a real Postgres."""

from __future__ import annotations

import time
import traceback

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from models.errors import UnreachableError
from models.session import connect, explain_outage
from tests.conftest import Cluster
from workers.execution.store import is_outage

SECRET = "Zanzibar"
LOCK = text("SELECT pg_advisory_xact_lock(1)")


HELD = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")


def stand_still(engine: Engine) -> int:
    """Take a lock, say nothing for longer than a writer may, and return how many locks are held then."""
    with engine.begin() as transaction:
        transaction.execute(LOCK)
        time.sleep(2)
        return int(transaction.scalar(HELD) or 0)


def test_who_says_nothing_in_the_middle_of_writing_loses_its_locks(cluster: Cluster) -> None:
    engine = connect(cluster.database_url, pool_size=1, idle_in_transaction_timeout=1)
    silent = engine.connect()
    silent.execute(LOCK)
    with cluster.engine.begin() as other:
        other.execute(text("SET LOCAL lock_timeout = '180s'"))
        other.execute(LOCK)
        assert other.scalar(text("SELECT pid = pg_backend_pid() FROM pg_locks WHERE locktype = 'advisory'"))
    silent.invalidate()
    silent.close()
    engine.dispose()


def test_a_transaction_that_stood_still_is_an_outage_that_passes(cluster: Cluster) -> None:
    engine = connect(cluster.database_url, pool_size=1, idle_in_transaction_timeout=1)
    with pytest.raises(UnreachableError, match="was silent for 60 s; run it again") as caught, explain_outage(engine):
        stand_still(engine)
    assert caught.value.__cause__ is not None
    assert is_outage(caught.value.__cause__)
    with engine.begin() as transaction:
        assert transaction.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_who_only_reads_may_be_slow(cluster: Cluster) -> None:
    engine = connect(cluster.database_url, pool_size=1, idle_in_transaction_timeout=None)
    assert stand_still(engine) == 1
    engine.dispose()


def test_errors_of_the_server_do_not_quote_rows(cluster: Cluster) -> None:
    insert = text("INSERT INTO documents (sha256, format, text) VALUES (repeat('a', 64), 'pdf', :words)")
    with pytest.raises(IntegrityError) as raised, cluster.engine.begin() as transaction:
        transaction.execute(insert, {"words": SECRET})

    told = "".join(traceback.format_exception(raised.value))
    assert "format_is_known" in told
    assert "Failing row" not in told
    assert SECRET not in told
