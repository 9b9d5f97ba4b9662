"""Response formats of chat requests: the JSON Schema that an answer is kept to, or why the format is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.errors import SettingsError
from models.output_schema import ANY_OBJECT, read_schema, resolve_schema
from models.schema_limits import measure_shortest
from producer.errors import ChatRequestError

PARAM = "response_format"
# OpenAI's API asks for it, too: without it weights may write white space until their maximum of tokens.
WORD = "json"


class TextFormat(BaseModel):
    """Free text."""

    type: Literal["text"]


class ObjectFormat(BaseModel):
    """Any JSON object."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["json_object"]


class NamedSchema(BaseModel):
    """JSON Schema with a name; answers are kept to it with ``strict`` and without."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    body: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class SchemaFormat(BaseModel):
    """JSON of a schema."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


def choose_schema(wanted: ResponseFormat | None, *, text: str, stop: tuple[str, ...], max_tokens: int) -> str | None:
    """Return the resolved schema of the answers that a request wants, as text; None for free text.

    Args:
        wanted: its response format.
        text: its messages.
        stop: strings that end the answer.
        max_tokens: maximum tokens of the answer.

    Raises:
        ChatRequestError: no answer can be kept to the format.
    """
    match wanted:
        case SchemaFormat(json_schema=named):
            schema = _resolve(named)
        case ObjectFormat():
            if WORD not in text.lower():
                raise ChatRequestError(f"{PARAM} json_object needs the word JSON in the messages", param="messages")
            schema = ANY_OBJECT
        case _:
            return None
    if stop:
        raise ChatRequestError(f"stop could cut the JSON of {PARAM}; leave one of the two out", param="stop")
    if max_tokens < (least := measure_shortest(read_schema(schema))):
        raise ChatRequestError(
            f"{max_tokens} tokens may be too few for the required fields of {PARAM}; give max_completion_tokens "
            f"{least} or more",
            param="max_completion_tokens",
        )
    return schema


def _resolve(named: NamedSchema) -> str:
    try:
        return resolve_schema(named.body)
    except SettingsError as error:
        raise ChatRequestError(f"{PARAM}: the schema {named.name!r} {error}", param=PARAM) from None
