from __future__ import annotations

import json

import pytest

from workers.engine.errors import UnsupportedRequestError
from workers.engine.remote.dialect import (
    DIALECTS,
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    OLLAMA,
    OTHER,
    SGLANG,
    VLLM,
    Dialect,
    PromptForm,
)
from workers.engine.remote.structured_outputs import build_schema_fields

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}}
OPENAI = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "summary", "schema": SCHEMA, "strict": True}}
}


@pytest.mark.parametrize(
    ("dialect", "form", "fields"),
    [
        (VLLM, PromptForm.IDS, {"structured_outputs": {"json": SCHEMA}}),
        (LLAMA_CPP, PromptForm.IDS, {"json_schema": SCHEMA}),
        (LLAMA_CPP, PromptForm.MESSAGES, {"json_schema": SCHEMA}),
        (SGLANG, PromptForm.IDS, {"json_schema": json.dumps(SCHEMA)}),
        (SGLANG, PromptForm.MESSAGES, OPENAI),
        (OLLAMA, PromptForm.MESSAGES, OPENAI),
        (OTHER, PromptForm.MESSAGES, OPENAI),
        (LLAMA_CPP_PYTHON, PromptForm.MESSAGES, {"response_format": {"type": "json_object", "schema": SCHEMA}}),
    ],
)
def test_each_kind_of_server_gets_the_schema_in_its_own_field(
    dialect: Dialect, form: PromptForm, fields: dict[str, object]
) -> None:
    assert build_schema_fields(dialect, form, json.dumps(SCHEMA)) == fields


@pytest.mark.parametrize("dialect", [LLAMA_CPP_PYTHON, OLLAMA, OTHER])
@pytest.mark.parametrize("form", [PromptForm.IDS, PromptForm.TEXT])
def test_a_server_that_keeps_no_completion_to_a_schema_is_named(dialect: Dialect, form: PromptForm) -> None:
    with pytest.raises(UnsupportedRequestError, match=f"{dialect.name} keeps no completion to a schema"):
        build_schema_fields(dialect, form, json.dumps(SCHEMA))


def test_every_kind_of_server_has_a_way_for_messages() -> None:
    for dialect in (*DIALECTS.values(), OTHER):
        assert build_schema_fields(dialect, PromptForm.MESSAGES, json.dumps(SCHEMA))
