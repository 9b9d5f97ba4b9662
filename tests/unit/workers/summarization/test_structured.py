from __future__ import annotations

import json

import pytest

from models.output_schema import resolve_schema
from workers.evaluation.verification import SourceText
from workers.summarization.grounding import Grounding
from workers.summarization.structured import find_fault, mend_texts, read_answer, render_json
from workers.summarization.value_grounding import GroundedValues, find_branch, ground_values

SOURCE = SourceText(
    "The council of Corfe spent 1,250 pounds on the old bridge. Engineers replaced twelve cables in March.", None
)


def ground(
    data: dict[str, object],
    properties: dict[str, object],
    *,
    mode: Grounding = "strict",
    required: tuple[str, ...] = (),
) -> GroundedValues:
    schema = resolve_schema({"type": "object", "properties": properties, "required": list(required)})
    return ground_values(data, json.loads(schema), SOURCE, mode=mode, language=None, text=schema)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": ', '{"a": NaN}', '{"a": 1e999}', "null", "[" * 100_000])
def test_what_is_no_json_object_is_no_answer(text: str) -> None:
    assert read_answer(text) is None


def test_texts_that_cannot_be_stored_are_mended() -> None:
    assert mend_texts({"a": ["x\0y", "\ud800"], "b": 1}) == {"a": ["xy", "\ufffd"], "b": 1}


def test_a_fault_is_said_with_its_place() -> None:
    schema = resolve_schema({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}})
    assert find_fault({"a": ["x", 3]}, schema) == 'a.1 does not meet {"type": "string"}'
    assert find_fault({"a": ["x"]}, schema) is None


def test_rendered_json_knows_the_place_of_every_value() -> None:
    data = {"a": 'say "hi" \\ to\nÖ', "b": [1, {"c": None}, {}, []], "d": True}
    text, values = render_json(data)
    assert json.loads(text) == data
    assert text == json.dumps(data, ensure_ascii=False, indent=2)
    assert [value.value for value in values] == [data["a"], 1, None, True]
    first = values[0]
    position = str(first.value).index("\\")
    assert text[first.find_offset(position) :].startswith("\\\\ to\\n")
    assert text[values[1].start] == "1"


def test_what_the_source_bears_out_is_verified_with_its_place() -> None:
    grounded = ground(
        {"note": "The council of Corfe spent 1,250 pounds on the old bridge.", "pounds": 1250, "town": "Corfe"},
        {"note": {"type": "string"}, "pounds": {"type": "integer"}, "town": {"type": "string"}},
    )
    found = {grounded.text[sentence.start : sentence.end]: sentence for sentence in grounded.sentences}
    assert set(found) == {"The council of Corfe spent 1,250 pounds on the old bridge.", "1250", "Corfe"}
    assert all(sentence.kind == "verified" and sentence.spans for sentence in found.values())
    assert not grounded.unchecked


def test_titles_and_addresses_of_the_source_are_values() -> None:
    data = {"title": "The Old Bridge Of The Corfe Valley", "address": "12 High Street, Corfe, CT1 2AB"}
    source = f"{data['title']}\n\n{data['address']}\n\nThe council met on Monday and talked about the old bridge."
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in data}}

    for mode in ("strict", "flag"):
        grounded = ground_values(
            data, schema, SourceText(source, None), mode=mode, language=None, text=json.dumps(schema)
        )
        assert (grounded.data, grounded.replaced, grounded.flagged) == (data, 0, [])


def test_what_it_does_not_bear_out_is_left_out_where_the_schema_allows_it() -> None:
    grounded = ground(
        {"optional": "Boris Zhukov", "nullable": 777, "list": ["Corfe", "Sumatra", "Corfe", " "]},
        {
            "optional": {"type": "string"},
            "nullable": {"type": ["integer", "null"]},
            "list": {"type": "array", "items": {"type": "string"}},
        },
        required=("nullable", "list"),
    )
    assert grounded.data == {"nullable": None, "list": ["Corfe"]}
    assert grounded.dropped == ["optional", "nullable", "list"]
    assert not grounded.flagged


def test_a_list_keeps_the_entries_that_its_schema_requires() -> None:
    grounded = ground(
        {"list": ["Sumatra", "Qatar"]},
        {"list": {"type": "array", "items": {"type": "string"}, "minItems": 2}},
    )
    assert grounded.data == {"list": ["Sumatra", "Qatar"]}
    assert grounded.flagged == ["list", "list"]


def test_prose_is_quoted_within_the_bounds_of_its_field() -> None:
    false = "Boris Zhukov sold the old bridge to a museum in Qatar for 9173 pounds."
    free = ground({"note": false}, {"note": {"type": "string"}}, required=("note",))
    bounded = ground({"note": false}, {"note": {"type": "string", "maxLength": 20}}, required=("note",))
    assert free.data["note"].startswith("\u201cThe council of Corfe")
    assert [sentence.kind for sentence in free.sentences] == ["quoted"]
    assert (bounded.data, bounded.flagged) == ({"note": false}, ["note"])


def test_under_flag_nothing_changes() -> None:
    data = {"town": "Sumatra", "pounds": 777}
    grounded = ground(data, {"town": {"type": "string"}, "pounds": {"type": "integer"}}, mode="flag")
    assert grounded.data == data
    assert grounded.flagged == ["town", "pounds"]
    assert [sentence.reason for sentence in grounded.sentences][1] == "the document has no 777"


def test_choices_are_named_as_unchecked() -> None:
    grounded = ground(
        {"topic": "sport", "is_open": True}, {"topic": {"enum": ["sport"]}, "is_open": {"type": "boolean"}}
    )
    assert grounded.unchecked == ["topic", "is_open"]
    assert grounded.sentences == ()


def test_a_value_is_of_the_alternative_that_fits_it() -> None:
    schema = {"anyOf": [{"enum": [1, None]}, {"type": ["string", "number"]}]}
    assert find_branch(schema, 1) == {"enum": [1, None]}
    assert find_branch(schema, True) == {}
    assert find_branch(schema, 2.5)["type"] == "number"
    assert find_branch(schema, None) == {"type": "null"}


def test_an_object_is_of_the_alternative_with_its_properties() -> None:
    person = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    firm = {"type": "object", "properties": {"firm": {"type": "string"}, "pounds": {"type": "integer"}}}
    grounded = ground({"who": {"pounds": 1250}}, {"who": {"anyOf": [person, firm]}})
    assert grounded.data == {"who": {"pounds": 1250}}
    assert [sentence.kind for sentence in grounded.sentences] == ["verified"]
