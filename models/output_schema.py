"""JSON Schemas of structured summaries: checked for what every engine can keep to, with their references resolved.

A resolved schema has no ``$ref``, no annotation but titles and descriptions, and a type wherever it has no ``enum``,
``const`` or ``anyOf``; its objects have no properties but those that it names. It is kept as JSON text, because the
order of its properties is that of the answers and of the exported columns, and JSONB keeps no order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

from models.base import Json
from models.errors import SettingsError

# Objects and lists within each other, references followed: a deeper schema is nearly always a recursive one.
MAX_DEPTH = 8
# Parts of a resolved schema, and characters of a schema: the fields stand in every prompt.
MAX_PARTS, MAX_CHARACTERS = 300, 50_000
# Keywords that change nothing of an answer.
IGNORED = {"$schema", "$id", "$comment", "$defs", "definitions", "default", "examples", "deprecated", "readOnly"}
KEPT = {"title", "description"}
TYPES: Mapping[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": set(),
    "null": set(),
}
SUPPORTED = {"type", "enum", "const", "anyOf", "allOf", "$ref", *KEPT, *set().union(*TYPES.values())}
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
# The engines' regular expressions have neither look-around nor references to groups.
UNSUPPORTED_PATTERN = re.compile(r"\(\?[=!<]|\\[1-9k]")
ADVICE = {
    "oneOf": "write anyOf instead",
    "uniqueItems": "leave it out",
    "prefixItems": "make an object of the items",
    "patternProperties": "name the properties",
    "format": f"the formats are {', '.join(sorted(FORMATS))}",
}

# Name of the part of a schema that is any JSON value with so many objects and lists in it.
VALUE = "value{}"


def _describe_any_object() -> str:
    """Return the schema of any JSON object, without recursion, so that an answer can always be ended."""
    leaves: list[Json] = [{"type": kind} for kind in ("string", "number", "boolean", "null")]
    values: Json = {VALUE.format(0): {"anyOf": leaves}}
    for depth in range(1, MAX_DEPTH):
        inner = {"$ref": f"#/$defs/{VALUE.format(depth - 1)}"}
        lists: Json = {"type": "array", "items": inner}
        values[VALUE.format(depth)] = {"anyOf": [*leaves, lists, {"type": "object", "additionalProperties": inner}]}
    outer = {"$ref": f"#/$defs/{VALUE.format(MAX_DEPTH - 1)}"}
    return json.dumps({"type": "object", "additionalProperties": outer, "$defs": values})


# Of chat requests for JSON without a schema; it names no properties, so that summaries cannot have it.
ANY_OBJECT = _describe_any_object()


def parse_schema(text: str) -> object:
    """Return the JSON of a schema's text.

    Raises:
        SettingsError: it is no JSON; the message says where not.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SettingsError(f"is not JSON: {error.msg} ({place})") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"is not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it has no {name}")


def resolve_schema(schema: object) -> str:
    """Return a schema in its resolved form, as JSON text.

    Raises:
        SettingsError: it is no JSON Schema, or no engine can keep to it; the message names the place in it.
    """
    # Imported here, because it takes a tenth of a second and most submissions have no schema.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, Mapping):
        raise SettingsError("is no JSON Schema of an object: it must be a JSON object with properties")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path)) or "its root"
        raise SettingsError(f"is no valid JSON Schema: {place}: {error.message}") from None
    resolved = _Resolver(schema).resolve(schema, "its root", depth=0)
    if resolved.get("type") != "object":
        raise SettingsError("describes no object: its root must have type object, whose properties become columns")
    text = json.dumps(resolved, ensure_ascii=False, separators=(",", ":"))
    if len(text) > MAX_CHARACTERS or not is_storable(text):
        raise SettingsError(f"has more than {MAX_CHARACTERS:,} characters, or some that cannot be stored")
    return text


def is_storable(text: str) -> bool:
    """Return whether Postgres can store a JSON text: it has no lone surrogates, and no NUL, which JSON escapes."""
    return not any("\ud800" <= character <= "\udfff" for character in text) and "\\u0000" not in text


# The jobs of a batch share their schema.
@lru_cache(maxsize=64)
def read_schema(text: str) -> Json:
    """Return a resolved schema from its text; it is shared and must not be changed."""
    return cast("Json", json.loads(text))


def list_branches(schema: Json) -> Iterator[Json]:
    """Yield the alternatives of a part of a resolved schema, each with a single type, an ``enum`` or a ``const``."""
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from list_branches(branch)
    elif isinstance(schema.get("type"), list):
        yield from (schema | {"type": kind} for kind in schema["type"])
    else:
        yield schema


class _Resolver:
    """Resolves the parts of one schema.

    Args:
        root: the schema, in which references point.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._parts = 0

    def resolve(self, part: object, place: str, *, depth: int) -> Json:
        """Return a part in its resolved form.

        Args:
            part: the part.
            place: its place in the schema, for messages.
            depth: number of objects and lists around it.
        """
        self._parts += 1
        if depth > MAX_DEPTH:
            raise SettingsError(f"is nested too deeply: {place} is below {MAX_DEPTH} others; it may refer to itself")
        if self._parts > MAX_PARTS:
            raise SettingsError(f"is too large: with its references followed it has over {MAX_PARTS} parts")
        if not isinstance(part, Mapping):
            raise SettingsError(f"leaves open what {place} is: give it a type")
        merged = self._follow(part, place)
        _check_keywords(merged, place)
        kept = {name: value for name, value in merged.items() if name not in IGNORED}
        if "anyOf" in kept:
            return self._resolve_branches(kept, place, depth)
        if "const" in kept or "enum" in kept:
            return _keep_choice(kept, place)
        kinds = _list_types(kept, place)
        wanted = {"type", *KEPT}.union(*(TYPES[kind] for kind in kinds))
        resolved: Json = {name: value for name, value in kept.items() if name in wanted}
        resolved["type"] = kinds[0] if len(kinds) == 1 else kinds
        if "object" in kinds:
            self._resolve_object(resolved, place, depth)
        if "array" in kinds:
            items = resolved.get("items")
            resolved["items"] = self.resolve(items, f"the items of {place}", depth=depth + 1)
        return resolved

    def _follow(self, part: Mapping[str, Any], place: str) -> Json:
        """Return a part with its references replaced by what they point to; what stands beside one goes before it."""
        merged = dict(part)
        for _ in range(MAX_DEPTH):
            match merged:
                case {"$ref": str(pointer)}:
                    found = self._find(pointer, place)
                case {"allOf": [found]} if isinstance(found, Mapping):
                    pass
                case {"allOf": _}:
                    raise SettingsError(f"has keyword allOf at {place}, which is supported with one part alone")
                case _:
                    return merged
            merged = {**found, **{name: value for name, value in merged.items() if name not in ("$ref", "allOf")}}
        raise SettingsError(f"refers at {place} to itself")

    def _find(self, pointer: str, place: str) -> Mapping[str, Any]:
        if not pointer.startswith("#"):
            raise SettingsError(f"refers at {place} to {pointer}: only references within the schema (#/…) are followed")
        found: Any = self._root
        for name in pointer[1:].split("/")[1:]:
            found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise SettingsError(f"refers at {place} to {pointer}, which is not in it")
        return found

    def _resolve_branches(self, part: Json, place: str, depth: int) -> Json:
        beside = part.keys() - KEPT - {"anyOf", "type"}
        if beside:
            raise SettingsError(f"has {', '.join(sorted(beside))} beside anyOf at {place}: move it into the branches")
        branches = [self.resolve(branch, f"anyOf of {place}", depth=depth) for branch in part["anyOf"]]
        return {name: value for name, value in part.items() if name in KEPT} | {"anyOf": branches}

    def _resolve_object(self, resolved: Json, place: str, depth: int) -> None:
        properties = resolved.get("properties", {})
        if not properties or isinstance(resolved.get("additionalProperties"), Mapping):
            raise SettingsError(f"does not name the properties of {place}: only objects with named ones are supported")
        if missing := [name for name in resolved.get("required", ()) if name not in properties]:
            raise SettingsError(f"requires {missing[0]!r} of {place} and does not describe it")
        inside = "" if place == "its root" else f"{place}."
        resolved["properties"] = {
            name: self.resolve(part, f"{inside}{name}", depth=depth + 1) for name, part in properties.items()
        }
        resolved["additionalProperties"] = False


def _check_keywords(part: Mapping[str, Any], place: str) -> None:
    for name in part:
        if name not in SUPPORTED | IGNORED and not name.startswith("x-"):
            advice = f"; {ADVICE[name]}" if name in ADVICE else ""
            raise SettingsError(f"has keyword {name} at {place}, which is not supported{advice}")
    if "format" in part and part["format"] not in FORMATS:
        raise SettingsError(f"has format {part['format']!r} at {place}, which is not supported; {ADVICE['format']}")
    if UNSUPPORTED_PATTERN.search(part.get("pattern", "")):
        raise SettingsError(f"has a pattern at {place} with look-around or a reference to a group: leave that out")


def _keep_choice(part: Json, place: str) -> Json:
    choices = part["enum"] if "enum" in part else [part["const"]]
    if not choices or any(isinstance(choice, list | Mapping) for choice in choices):
        raise SettingsError(f"has choices at {place} that are none, or no text, number, true, false or null")
    return {name: value for name, value in part.items() if name in KEPT} | {"enum": list(choices)}


def _list_types(part: Json, place: str) -> list[str]:
    """Return the types of a part, by its keywords if it names none."""
    match part.get("type"):
        case str(kind):
            return [kind]
        case [*kinds]:
            return list(kinds)
    for kind in ("object", "array", "string"):
        if TYPES[kind] & part.keys():
            return [kind]
    raise SettingsError(f"leaves open what {place} is: give it a type")
