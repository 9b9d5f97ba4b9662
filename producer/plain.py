"""Conversion of our values, and those of Postgres, to JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal


def dump_json(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON."""
    return json.dumps(to_json_value(value), indent=indent, ensure_ascii=False, allow_nan=False)


def to_json_value(value: object) -> object:
    """Return a JSON value: bytes as hex digits, numbers that are not finite as null, unknown types as text."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return to_json_value(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): to_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
