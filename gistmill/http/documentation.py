"""The page /docs: the OpenAPI document as plain HTML, made here, so that it loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import HTMLResponse

from gistmill.http.pages.assets import find_asset
from models.serve_address import HEALTH, HEALTH_PATH

Schema = Mapping[str, Any]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document, for the page.

    Args:
        method: its HTTP method.
        path: its path.
        tag: the group that it belongs to.
        summary: what it does.
        parameters: its parameters.
        bodies: media types of its body with their schemas.
        responses: its answers by status.
    """

    method: str
    path: str
    tag: str
    summary: str
    parameters: tuple[Schema, ...]
    bodies: Schema
    responses: Schema


@router.get("/docs")
def show_documentation(request: Request) -> HTMLResponse:
    """Show the documentation of the API."""
    app: FastAPI = request.app
    return HTMLResponse(render_documentation(app.openapi()))


@router.get(HEALTH_PATH)
def tell_health() -> dict[str, str]:
    """Tell a probe that the server answers."""
    return HEALTH


def render_documentation(document: Schema) -> str:
    """Return the page about an OpenAPI document."""
    groups: dict[str, list[Operation]] = {}
    for operation in list_operations(document):
        groups.setdefault(operation.tag, []).append(operation)
    schemas = document.get("components", {}).get("schemas", {})
    return _read_template().render(
        info=document["info"], groups=groups, schemas=schemas, describe=describe_type, asset=find_asset
    )


def list_operations(document: Schema) -> Iterator[Operation]:
    """Yield the operations of a document in its order."""
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            yield Operation(
                method=method.upper(),
                path=path,
                tag=next(iter(found.get("tags", ())), "other"),
                summary=found.get("description") or found.get("summary", ""),
                parameters=tuple(found.get("parameters", ())),
                bodies=found.get("requestBody", {}).get("content", {}),
                responses=found["responses"],
            )


def describe_type(schema: Schema) -> str:
    """Return the type of a schema in a few words: ``list of Summary``, ``text or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[-1]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(describe_type(option) for option in schema[key])
    if "const" in schema or "enum" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            return f"list of {describe_type(schema.get('items', {}))}"
        case "string":
            return "file" if "contentMediaType" in schema else str(schema.get("format", "text"))
        case None:
            return "any value"
        case kind:
            return str(kind)


@cache
def _read_template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        "documentation.html"
    )
