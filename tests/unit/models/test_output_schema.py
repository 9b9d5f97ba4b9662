from __future__ import annotations

import json

import pytest

from models.base import Json
from models.errors import SettingsError
from models.output_schema import parse_schema, resolve_schema


def wrap(part: object, **beside: object) -> Json:
    return {"type": "object", "properties": {"a": part}, **beside}


def test_references_are_followed_and_annotations_dropped() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "title": "Place"}},
        "type": "object",
        "properties": {
            "place": {"$ref": "#/$defs/place", "description": "Where"},
            "year": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "kind": {"const": "news"},
        },
    }
    resolved = json.loads(resolve_schema(schema))
    assert resolved["properties"]["place"] == {
        "type": "object",
        "title": "Place",
        "description": "Where",
        "properties": {"city": {"type": "string"}},
        "additionalProperties": False,
    }
    assert resolved["properties"]["year"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert resolved["properties"]["kind"] == {"enum": ["news"]}
    assert list(resolved["properties"]) == ["place", "year", "kind"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "is no JSON Schema of an object"),
        ({"type": "strin"}, "is no valid JSON Schema: type"),
        ({"type": "array", "items": {"type": "string"}}, "describes no object"),
        ({"type": "object"}, "does not name the properties of its root"),
        (wrap({"type": "object", "properties": {}}), "does not name the properties of a"),
        (wrap({"type": "string"}, required=["b"]), "requires 'b' of its root"),
        (wrap({}), "leaves open what a is"),
        (wrap({"type": "array"}), "leaves open what the items of a is"),
        (wrap({"oneOf": [{"type": "string"}]}), "keyword oneOf at a, which is not supported; write anyOf instead"),
        (wrap({"type": "array", "items": {"type": "string"}, "uniqueItems": True}), "keyword uniqueItems at a"),
        (wrap({"type": "string", "format": "iri"}), "format 'iri' at a"),
        (wrap({"type": "string", "pattern": "(?=a)"}), "has a pattern at a"),
        (wrap({"enum": [["x"]]}), "has choices at a"),
        (wrap({"$ref": "#"}), "is nested too deeply"),
        (wrap({"$ref": "#/$defs/b"}), "refers at a to #/$defs/b, which is not in it"),
        (wrap({"$ref": "other.json"}), "only references within the schema"),
        ({"$defs": {"x": {"$ref": "#/$defs/x"}}, **wrap({"$ref": "#/$defs/x"})}, "refers at a to itself"),
        (wrap({"allOf": [{"type": "string"}, {"maxLength": 3}]}), "keyword allOf at a"),
        (wrap({"enum": ["\ud800"]}), "cannot be stored"),
        (wrap({"enum": ["\0"]}), "cannot be stored"),
        ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(400)}}, "is too large"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused_with_its_place(schema: object, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_schema(schema)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": ', "is not JSON: Expecting value (line 1, column 7)"),
        ("[NaN]", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_text_that_is_not_json_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_schema(text)
    assert words in str(caught.value)
