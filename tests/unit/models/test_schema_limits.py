from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from models.base import Json
from models.output_schema import resolve_schema
from models.schema_limits import MAX_ENTRIES, limit_schema, measure_growth, measure_shortest


def resolve(**properties: Json) -> Json:
    found: Json = json.loads(resolve_schema({"type": "object", "properties": properties, "required": list(properties)}))
    return found


def test_what_a_schema_leaves_open_gets_a_bound() -> None:
    schema = resolve(
        note={"type": "string"},
        tags={"type": "array", "items": {"type": "string"}},
        count={"type": "integer"},
        maybe={"anyOf": [{"type": "string"}, {"type": "null"}]},
    )
    properties = limit_schema(schema, max_tokens=200)["properties"]
    assert 40 <= properties["note"]["maxLength"] == properties["maybe"]["anyOf"][0]["maxLength"] <= 200
    assert properties["tags"]["maxItems"] == MAX_ENTRIES
    assert properties["tags"]["items"]["maxLength"] < properties["note"]["maxLength"]
    assert properties["count"]["minimum"] < 0 < properties["count"]["maximum"]


def test_bounds_of_the_schema_stay_until_they_are_narrowed() -> None:
    schema = resolve(
        note={"type": "string", "minLength": 30, "maxLength": 5000},
        tags={"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 50},
    )
    given = limit_schema(schema, max_tokens=200)["properties"]
    assert (given["note"]["maxLength"], given["tags"]["maxItems"]) == (5000, 50)
    narrow = limit_schema(schema, max_tokens=200, tightness=4)["properties"]
    assert 30 <= narrow["note"]["maxLength"] < 200
    assert narrow["tags"]["maxItems"] == 4


@pytest.mark.parametrize("tightness", [1, 2, 4])
def test_limited_schemas_are_valid_ones(tightness: int) -> None:
    schema = resolve(
        code={"type": "string", "pattern": "^[A-Z]+$"},
        day={"type": "string", "format": "date"},
        part={"type": "object", "properties": {"x": {"type": ["number", "null"], "exclusiveMinimum": 3}}},
        kind={"enum": ["a", 1, None]},
    )
    Draft202012Validator.check_schema(limit_schema(schema, max_tokens=100, tightness=tightness))


def test_the_shortest_answer_is_no_longer_than_its_bound() -> None:
    schema = resolve(
        note={"type": "string"},
        tags={"type": "array", "items": {"type": "string"}, "minItems": 2},
        kind={"enum": ["long choice", "b"]},
        year={"type": "integer", "minimum": 1800},
    )
    longest_short = {"note": "", "tags": ["", ""], "kind": "long choice", "year": 1800}
    assert len(json.dumps(longest_short, separators=(",", ":"))) <= measure_shortest(schema)


def test_an_optional_part_makes_the_end_grow_by_its_shortest_form() -> None:
    inner = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema = json.loads(resolve_schema({"type": "object", "properties": {"person": inner}}))
    assert measure_growth(schema) >= len('"person":{"name":""}')
