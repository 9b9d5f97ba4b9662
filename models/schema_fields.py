"""Fields of a structured summary, as a prompt names them and as columns of exports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.base import Json
from models.output_schema import list_branches, read_schema

ColumnKind = Literal["string", "integer", "number", "boolean", "json"]

# Characters of a field's description in a prompt.
DESCRIPTION_CHARACTERS = 200
# Choices of a field that a prompt lists.
LISTED_CHOICES = 20
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class SchemaColumn:
    """Column of an export with the values of one field.

    Args:
        path: names of the properties from the root to the field.
        kind: type of the values; a list, or a field of several types, is written as JSON.
    """

    path: tuple[str, ...]
    kind: ColumnKind

    @property
    def name(self) -> str:
        """Name of the column, such as ``data.place.city``."""
        return ".".join(("data", *self.path))

    def read(self, data: Any) -> Any:
        """Return the field's value in the data of a summary; None if it has none."""
        for name in self.path:
            data = data.get(name) if isinstance(data, Mapping) else None
        if self.kind == "json" and data is not None:
            return json.dumps(data, ensure_ascii=False)
        # JSON Schema counts 3.0 among the integers.
        return int(data) if self.kind == "integer" and data is not None else data


def list_columns(schemas: Iterable[str]) -> list[SchemaColumn]:
    """Return the columns of the fields of some resolved schemas, in the order of the schemas.

    Args:
        schemas: their JSON texts; a field whose type differs between them is written as JSON.
    """
    found: dict[tuple[str, ...], ColumnKind] = {}
    for text in schemas:
        for path, kind in _list_leaves(read_schema(text), ()):
            found[path] = kind if found.get(path, kind) == kind else "json"
    return [SchemaColumn(path, kind) for path, kind in found.items()]


def _list_leaves(schema: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ColumnKind]]:
    for name, part in schema.get("properties", {}).items():
        branches = [branch for branch in list_branches(part) if branch.get("type") != "null"]
        if len(branches) == 1 and branches[0].get("type") == "object":
            yield from _list_leaves(branches[0], (*path, name))
        else:
            kinds = {kind for branch in branches for kind in _list_kinds(branch)} - {"null"}
            yield (*path, name), _choose_kind(kinds)


def _list_kinds(branch: Json) -> Iterator[str]:
    if "enum" in branch:
        yield from (
            {bool: "boolean", int: "integer", float: "number", str: "string"}.get(type(choice), "null")
            for choice in branch["enum"]
        )
    else:
        yield branch["type"]


def _choose_kind(kinds: set[str]) -> ColumnKind:
    if kinds == {"integer", "number"}:
        return "number"
    match list(kinds):
        case ["string" | "integer" | "number" | "boolean" as kind]:
            return kind
    return "json"


def describe_fields(schema: Json) -> str:
    """Return the fields of a resolved schema for a prompt, one per line: name, type and description."""
    return "\n".join(_list_lines(schema, ""))


def _list_lines(schema: Json, prefix: str) -> Iterator[str]:
    for name, part in schema["properties"].items():
        place = f"{prefix}{name}"
        words = " ".join(str(part.get("description") or part.get("title") or "").split())[:DESCRIPTION_CHARACTERS]
        # A title made from the name says nothing.
        is_said = words.lower().replace(" ", "_") in ("", name.lower())
        yield f"- {place} ({_describe_type(part)})" + ("" if is_said else f": {words}")
        for branch in list_branches(part):
            inner = branch["items"] if branch.get("type") == "array" else branch
            for below in list_branches(inner):
                if below.get("type") == "object":
                    yield from _list_lines(below, f"{place}[]." if inner is not branch else f"{place}.")


def _describe_type(part: Json) -> str:
    kinds = [_describe_branch(branch) for branch in list_branches(part)]
    return " or ".join(dict.fromkeys(kinds))


def _describe_branch(branch: Json) -> str:
    if "enum" in branch:
        listed = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in branch["enum"][:LISTED_CHOICES])
        return listed if len(branch["enum"]) == 1 else f"one of {listed}"
    if branch["type"] == "array":
        return f"list of {_describe_type(branch['items'])}"
    if branch["type"] == "string" and "format" in branch:
        return str(branch["format"])
    return WORDS.get(branch["type"], str(branch["type"]))
