"""Limits of structured answers: bounds for what a schema leaves open, and the length of the shortest answer.

A small network may write without end where a schema lets it. Any bound that is tighter than the schema's own gives
answers that are valid by the schema, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from models.base import Json
from models.output_schema import list_branches

# Characters of a token in ordinary text, at least; the share of the unbounded texts is computed by it.
CHARACTERS_PER_TOKEN = 3
# Bounds of what a schema leaves open: characters of a text, entries of a list, and the absolute value of a number.
MIN_TEXT, MAX_TEXT, MAX_ENTRIES, MAX_NUMBER = 40, 2000, 10, 10**15
# Part of a text's share that an entry of a list has.
ENTRY_PART = 4
# Bytes of a text by a pattern or a format, of a number of one digit, and around a property: colon and comma.
PATTERN_BYTES, SHORT_NUMBER_BYTES, PROPERTY_BYTES = 64, 3, 2
# Bytes of the end of an object without named properties: a name, a text, and the brackets around them.
UNNAMED_BYTES = 24


def limit_schema(schema: Json, *, max_tokens: int, tightness: int = 1) -> Json:
    """Return a resolved schema with bounds for everything that it leaves open.

    Args:
        schema: the schema.
        max_tokens: maximum tokens of an answer, which the texts without bounds share.
        tightness: divides the shares; above 1 the schema's own bounds are narrowed to them, too.
    """
    room = max_tokens * CHARACTERS_PER_TOKEN - measure_shortest(schema)
    share = room // max(count_texts(schema), 1) // tightness
    return _Limiter(min(max(share, MIN_TEXT // tightness), MAX_TEXT), tightness).limit(schema, is_entry=False)


def count_texts(schema: Json) -> int:
    """Return the number of texts in a schema that have a share: each text, and each list as a whole."""
    return sum(map(_count_branch, list_branches(schema)))


def _count_branch(branch: Json) -> int:
    match branch:
        case {"type": "object", "properties": properties}:
            return sum(map(count_texts, properties.values()))
        case {"type": "array"}:
            return 1
        case {"type": "string"} if "maxLength" not in branch:
            return 1
    return 0


class _Limiter:
    def __init__(self, share: int, tightness: int) -> None:
        self._share = share
        self._tightness = tightness

    def limit(self, part: Json, *, is_entry: bool) -> Json:
        if "anyOf" in part:
            return part | {"anyOf": [self.limit(branch, is_entry=is_entry) for branch in part["anyOf"]]}
        limited = dict(part)
        for branch in list_branches(part):
            match branch.get("type"):
                case "object" if "properties" in part:
                    limited["properties"] = {
                        name: self.limit(inner, is_entry=is_entry) for name, inner in part["properties"].items()
                    }
                case "array":
                    most = max(MAX_ENTRIES // self._tightness, 1)
                    limited["maxItems"] = self._narrow(part, "maxItems", most, part.get("minItems", 0))
                    limited["items"] = self.limit(part["items"], is_entry=True)
                case "string" if "format" not in part:
                    most = max(self._share // ENTRY_PART if is_entry else self._share, 8)
                    most = max(most, PATTERN_BYTES) if "pattern" in part else most
                    limited["maxLength"] = self._narrow(part, "maxLength", most, part.get("minLength", 0))
                case "integer" | "number":
                    limited |= dict(_list_bounds(part))
        return limited

    def _narrow(self, part: Json, name: str, most: int, least: int) -> int:
        given = part.get(name)
        if given is not None and self._tightness == 1:
            return int(given)
        return max(most if given is None else min(int(given), most), least)


def _list_bounds(part: Json) -> Iterator[tuple[str, Any]]:
    lower = [part[name] for name in ("minimum", "exclusiveMinimum") if name in part]
    upper = [part[name] for name in ("maximum", "exclusiveMaximum") if name in part]
    if not lower:
        yield "minimum", min([0, *upper]) - MAX_NUMBER
    if not upper:
        yield "maximum", max([0, *lower]) + MAX_NUMBER


def measure_shortest(schema: Json) -> int:
    """Return an upper bound of the shortest answer in bytes, and so in tokens, whatever choices were made in it."""
    return max(map(_measure_branch, list_branches(schema)))


def _measure_branch(branch: Json) -> int:
    match branch:
        case {"enum": choices}:
            return max(_measure_json(choice) for choice in choices)
        case {"type": "object", "properties": properties}:
            required = branch.get("required", ())
            return 2 + sum(_measure_property(name, properties[name]) for name in required)
        case {"type": "array"}:
            return 2 + int(branch.get("minItems", 0)) * (1 + measure_shortest(branch["items"]))
        case {"type": "string"}:
            is_free = "pattern" not in branch and "format" not in branch
            return 2 + 4 * int(branch.get("minLength", 0)) + (0 if is_free else PATTERN_BYTES)
        case {"type": "integer" | "number"}:
            return _measure_number(branch)
    return 5  # false


def _measure_number(part: Json) -> int:
    """Return an upper bound of a shortest number in bytes: one digit, unless zero is out of bounds."""
    lower = [part[name] for name in ("minimum", "exclusiveMinimum") if name in part]
    upper = [part[name] for name in ("maximum", "exclusiveMaximum") if name in part]
    has_zero = all(bound < 0 for bound in lower) and all(bound > 0 for bound in upper)
    return SHORT_NUMBER_BYTES if has_zero else SHORT_NUMBER_BYTES + max(len(str(bound)) for bound in (*lower, *upper))


def _measure_property(name: str, part: Json) -> int:
    return _measure_json(name) + PROPERTY_BYTES + measure_shortest(part)


def _measure_json(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def measure_growth(schema: Json) -> int:
    """Return by how many bytes the shortest end of an answer may grow with one choice: a property, an entry, a type."""
    return max(_list_growths(schema), default=1)


def _list_growths(schema: Json) -> Iterator[int]:
    yield measure_shortest(schema) if len(list(list_branches(schema))) > 1 or "enum" in schema else 1
    for branch in list_branches(schema):
        match branch:
            case {"type": "object", "properties": properties}:
                required = branch.get("required", ())
                for name, part in properties.items():
                    yield 1 if name in required else _measure_property(name, part)
                    yield from _list_growths(part)
            case {"type": "object"}:
                yield UNNAMED_BYTES
            case {"type": "array", "items": items}:
                yield 1 + measure_shortest(items)
                yield from _list_growths(items)
            case {"type": "string"} if "pattern" in branch or "format" in branch:
                yield PATTERN_BYTES
            case {"type": "integer" | "number"}:
                yield _measure_number(branch)
