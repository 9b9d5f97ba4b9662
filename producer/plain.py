"""Turns our values into what JSON knows."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID


def to_plain(value: object) -> object:
    """Return what JSON knows for a value that it does not, for ``json.dumps(..., default=to_plain)``.

    Raises:
        TypeError: there is nothing like it in JSON.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID | timedelta):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
