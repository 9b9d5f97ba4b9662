"""Calls of concurrent threads that share a statement."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import DataError, OperationalError

from models.lock_wait import GROUP_WAIT, NO_LIMIT
from tests.processes import PATIENCE
from workers.execution.group_commit import GroupCommit

FAULTY = 7
LOCKED = 8


class Statement:
    """Counts what it runs together; its first run waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.limits: list[str] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def run(self, numbers: Sequence[int], lock_wait: str) -> list[str]:
        self.groups.append(list(numbers))
        self.limits.append(lock_wait)
        self.has_begun.set()
        assert self.may_end.wait(PATIENCE)
        if LOCKED in numbers and lock_wait != NO_LIMIT:
            raise OperationalError("a statement", None, LockNotAvailable())
        if FAULTY in numbers:
            raise DataError("a statement", None, Exception("invalid"))
        return [f"result {number}" for number in numbers]


def call_together(statement: Statement, numbers: Sequence[int]) -> list[Future[str]]:
    """Call with the first number, and with the others while that runs."""
    commit = GroupCommit(statement.run)
    with ThreadPoolExecutor(len(numbers)) as pool:
        first = pool.submit(commit.call, numbers[0])
        assert statement.has_begun.wait(PATIENCE)
        others = [pool.submit(commit.call, number) for number in numbers[1:]]
        while len(commit._waiting) < len(others):
            assert not statement.may_end.wait(0.001)
        statement.may_end.set()
    return [first, *others]


def test_calls_that_come_while_one_runs_share_the_next_run_and_have_their_own_results() -> None:
    statement = Statement()
    calls = call_together(statement, range(6))
    assert [call.result() for call in calls] == [f"result {number}" for number in range(6)]
    assert [sorted(group) for group in statement.groups] == [[0], [1, 2, 3, 4, 5]]


def test_a_group_that_fails_is_run_call_by_call_so_that_only_the_faulty_one_raises() -> None:
    statement = Statement()
    calls = call_together(statement, [1, FAULTY, 2, 3])
    assert [call.result() for call in calls if call is not calls[1]] == ["result 1", "result 2", "result 3"]
    with pytest.raises(DataError):
        calls[1].result()
    assert [len(group) for group in statement.groups] == [1, 3, 1, 1, 1]
    assert statement.limits == [GROUP_WAIT] * 2 + [NO_LIMIT] * 3


def test_a_call_alone_raises_its_error_and_lets_the_next_one_run() -> None:
    statement = Statement()
    statement.may_end.set()
    commit = GroupCommit(statement.run)
    with pytest.raises(DataError):
        commit.call(FAULTY)
    assert commit.call(1) == "result 1"
    assert statement.groups == [[FAULTY], [1]]


def test_a_call_alone_that_finds_a_locked_row_waits_for_it_beside_the_next_calls() -> None:
    statement = Statement()
    statement.may_end.set()
    commit = GroupCommit(statement.run)
    assert commit.call(LOCKED) == f"result {LOCKED}"
    assert statement.limits == [GROUP_WAIT, NO_LIMIT]
