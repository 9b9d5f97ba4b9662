"""What is stored of an error."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy.exc import DataError

from workers.errors import PermanentError
from workers.execution.progression import describe_failure

STATEMENT = "UPDATE steps SET output = %(output)s"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermanentError("no try gave any text"), "no try gave any text"),
        (KeyError(), "KeyError"),
        (
            DataError(STATEMENT, {}, psycopg.DataError("a field cannot contain NUL\nLINE 1: UPDATE steps")),
            "a field cannot contain NUL",
        ),
    ],
)
def test_a_failure_is_told_in_a_line_without_its_statement(error: Exception, message: str) -> None:
    assert describe_failure(error) == {"type": type(error).__name__, "message": message}
