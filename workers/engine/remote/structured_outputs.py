"""Fields of a request that keep an answer to a JSON Schema; each kind of server has its own."""

from __future__ import annotations

import json
from typing import Any

from workers.engine.errors import UnsupportedRequestError
from workers.engine.remote.dialect import LLAMA_CPP, LLAMA_CPP_PYTHON, SGLANG, VLLM, Dialect, PromptForm


def build_schema_fields(dialect: Dialect, form: PromptForm, schema: str) -> dict[str, Any]:
    """Return the fields of a request for JSON.

    Args:
        dialect: kind of server.
        form: form in which it takes prompts.
        schema: JSON Schema, as text.

    Raises:
        UnsupportedRequestError: it keeps no answer to a schema, or none to prompts of this form.
    """
    parsed = json.loads(schema)
    if dialect is VLLM:
        return {"structured_outputs": {"json": parsed}}
    if dialect is LLAMA_CPP:
        return {"json_schema": parsed}
    if dialect is SGLANG and form is not PromptForm.MESSAGES:
        return {"json_schema": schema}
    if form is not PromptForm.MESSAGES:
        raise UnsupportedRequestError(
            f"{dialect.name} keeps no completion to a schema; use weights with a chat template, vLLM, llama.cpp's own "
            "server, or GISTMILL_ENGINE=transformers"
        )
    if dialect is LLAMA_CPP_PYTHON:
        return {"response_format": {"type": "json_object", "schema": parsed}}
    # OpenAI's own form, which Ollama and SGLang take, too.
    named = {"name": "summary", "schema": parsed, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}
