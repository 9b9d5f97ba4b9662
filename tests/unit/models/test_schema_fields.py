from __future__ import annotations

import json

from models.output_schema import resolve_schema
from models.schema_fields import describe_fields, list_columns

SCHEMA = resolve_schema(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "title": "Title"},
            "place": {
                "anyOf": [
                    {"type": "object", "properties": {"city": {"type": "string", "description": "Its  name"}}},
                    {"type": "null"},
                ]
            },
            "people": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "year": {"type": ["integer", "null"]},
            "topic": {"enum": ["sport", "other"]},
            "open": {"type": "boolean"},
        },
    }
)


def test_a_prompt_names_every_field_with_its_type_and_description() -> None:
    assert describe_fields(json.loads(SCHEMA)) == (
        "- title (text)\n"
        "- place (object or null)\n"
        "- place.city (text): Its name\n"
        "- people (list of object)\n"
        "- people[].name (text)\n"
        "- year (whole number or null)\n"
        '- topic (one of "sport", "other")\n'
        "- open (true or false)"
    )


def test_every_field_is_a_column_with_its_type() -> None:
    assert [(column.name, column.kind) for column in list_columns([SCHEMA])] == [
        ("data.title", "string"),
        ("data.place.city", "string"),
        ("data.people", "json"),
        ("data.year", "integer"),
        ("data.topic", "string"),
        ("data.open", "boolean"),
    ]


def test_a_field_of_another_type_in_another_schema_is_json() -> None:
    other = resolve_schema({"type": "object", "properties": {"year": {"type": "string"}}})
    kinds = {column.name: column.kind for column in list_columns([SCHEMA, other])}
    assert (kinds["data.year"], kinds["data.title"]) == ("json", "string")


def test_columns_read_what_the_data_has() -> None:
    data = {"title": "A", "place": None, "people": [{"name": "Ö"}], "year": 3.0}
    values = [column.read(data) for column in list_columns([SCHEMA])]
    assert values == ["A", None, '[{"name": "Ö"}]', 3, None, None]
    assert [column.read(None) for column in list_columns([SCHEMA])] == [None] * 6
