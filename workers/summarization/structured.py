"""Structured answers: read and validated as JSON of their schema, and rendered with the place of every value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Replaces characters that Postgres cannot store: lone surrogates, which JSON can escape.
REPLACEMENT = "\ufffd"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonValue:
    """Text, number, boolean or null in a rendered JSON text.

    Args:
        start: offset of its first character; of a text, without the quotation mark.
        value: the value.
    """

    start: int
    value: str | float | bool | None

    def find_offset(self, position: int) -> int:
        """Return the offset in the JSON text of a position in a text, some of whose characters are escaped."""
        return self.start + len(json.dumps(str(self.value)[:position], ensure_ascii=False)) - 2


def read_answer(text: str) -> Json | None:
    """Return the JSON object of an answer, with texts that can be stored; None if it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return mend_texts(data) if isinstance(data, dict) and _is_finite(data) else None


def mend_texts(value: Any) -> Any:
    """Return a JSON value whose texts have neither NUL nor lone surrogates."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {mend_texts(name): mend_texts(inner) for name, inner in value.items()}
        case list():
            return list(map(mend_texts, value))
    return value


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list():
            return all(map(_is_finite, value))
    return True


def find_fault(data: Json, schema: str) -> str | None:
    """Return in words where data are not valid by a schema, given as JSON text; None if they are valid.

    The words do not quote the data, because errors are logged.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_read_validator(schema).iter_errors(data))
    if error is None:
        return None
    place = ".".join(map(str, error.absolute_path)) or "the object"
    return f"{place} does not meet {json.dumps({error.validator: error.validator_value}, ensure_ascii=False)[:200]}"


@lru_cache(maxsize=64)
def _read_validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def render_json(data: Json) -> tuple[str, list[JsonValue]]:
    """Return data as indented JSON text, with the places of its values in order."""
    pieces: list[str] = []
    values: list[JsonValue] = []
    length = 0
    for piece, value in _render(data, "\n"):
        if value is not None:
            values.append(JsonValue(length + isinstance(value[0], str), value[0]))
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces), values


def _render(value: Any, indent: str) -> Iterator[tuple[str, tuple[Any] | None]]:
    """Yield the pieces of a value, each with the value that it is, if it is one without inner values."""
    if not isinstance(value, Mapping | list) or not value:
        is_leaf = not isinstance(value, Mapping | list)
        yield json.dumps(value, ensure_ascii=False), (value,) if is_leaf else None
        return
    is_object = isinstance(value, Mapping)
    deeper = f"{indent}  "
    yield "{" if is_object else "[", None
    for number, entry in enumerate(value.items() if isinstance(value, Mapping) else enumerate(value)):
        name, inner = entry
        yield ("," if number else "") + deeper, None
        if is_object:
            yield f"{json.dumps(name, ensure_ascii=False)}: ", None
        yield from _render(inner, deeper)
    yield indent + ("}" if is_object else "]"), None
