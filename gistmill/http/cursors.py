"""Cursors of pagination: the place after which the next page begins, as an opaque text."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query

from gistmill.http.errors import RequestError
from models.listing import Place

# Items of a page at most.
MAX_PAGE = 200
# Bound of the column of positions.
MAX_POSITION = 2**31

Item = TypeVar("Item")
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Number of items of the page.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; without it the first page.")
]


@dataclass(frozen=True, slots=True)
class ListPage(Generic[Item]):
    """A page of a list.

    Args:
        data: its items.
        next_cursor: cursor of the next page; null after the last.
    """

    data: list[Item]
    next_cursor: str | None


def encode_cursor(*values: object) -> str:
    """Return a place as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(values, default=_describe).encode()).decode().rstrip("=")


def decode_batch_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Return the place of a batch: its time and its id.

    Raises:
        RequestError: the cursor is not of this list.
    """
    if cursor is None:
        return None
    try:
        created_at, batch_id = _decode(cursor)
        return _parse_time(created_at), UUID(batch_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise _refuse_cursor() from error


def decode_job_place(cursor: str | None) -> Place | None:
    """Return the place of a job.

    Raises:
        RequestError: the cursor is not of this list.
    """
    if cursor is None:
        return None
    try:
        created_at, batch_id, position, job_id = _decode(cursor)
        return _parse_time(created_at), UUID(batch_id), int(position) % MAX_POSITION, UUID(job_id)
    except (ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise _refuse_cursor() from error


def _decode(cursor: str) -> list[str]:
    try:
        values: list[str] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeError, RecursionError) as error:
        raise ValueError(cursor) from error
    return values


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _refuse_cursor() -> RequestError:
    return RequestError(
        422, "the cursor is not one that this list gave; leave it out for the first page", param="cursor"
    )


def _describe(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
