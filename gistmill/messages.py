"""Requests to ``gistmill serve`` and its answers, as values of ours."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter

from gistmill.errors import MissingLibraryError
from models.base import Json
from models.errors import FullDiskError, GistmillError, SettingsError, UnknownIdError, UnreachableError
from models.listing import JobFilter
from models.options import JobOptions
from producer.deletion import DeletionChoice
from producer.errors import ProducerError, SubmissionError
from producer.sources.source import Source

Answer = TypeVar("Answer")
# Summaries and batches of a page.
PAGE_ITEMS = 200
# Status of a batch, a job or a document that is not there, or not any more.
NOT_FOUND = 404
ERRORS: dict[str, type[GistmillError]] = {
    "full_disk": FullDiskError,
    "missing_library": MissingLibraryError,
    "settings": SettingsError,
    "submission": SubmissionError,
    "unknown_id": UnknownIdError,
    "unreachable": UnreachableError,
}


# Made once, because making one costs more than reading an answer.
ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def describe_address(url: httpx.URL) -> str:
    """Return an address without the name and the password in it, for messages."""
    return str(url.copy_with(userinfo=b""))


def explain_refusal(response: httpx.Response) -> GistmillError:
    """Return the error in an answer of the server."""
    try:
        error = response.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        shown = describe_address(response.url)
        return UnreachableError(f"{shown} answers with status {response.status_code}, not as Gistmill does")
    if response.status_code in (401, 403):
        return SettingsError(f"{message} (gistmill.connect(..., token=...))")
    known = ERRORS.get(code, ProducerError)
    return UnknownIdError(message) if response.status_code == NOT_FOUND else known(message)


def describe_options(options: JobOptions) -> Json:
    """Return the options of a job as a request names them, without those that have their defaults."""
    values: Json = options.model_dump(mode="json", exclude_defaults=True)
    generation: Json = values.pop("generation", {})
    template = values.pop("template", None)
    prompt = {} if template is None else {"prompt": template}
    schema = {"schema": json.loads(values.pop("output_schema"))} if "output_schema" in values else {}
    return {**values, **generation, **prompt, **schema}


def describe_source(source: Source) -> Json:
    """Return a document as a request has it."""
    return {
        "text": source.text,
        "name": source.name,
        "title": source.title,
        "format": source.format,
        "metadata": source.metadata,
    }


def describe_filter(wanted: JobFilter) -> Json:
    """Return a filter as the parameters of a request."""
    size = PAGE_ITEMS if wanted.limit is None else min(wanted.limit, PAGE_ITEMS)
    since = {} if wanted.since is None else {"since": wanted.since.isoformat()}
    job = {} if wanted.job_id is None else {"job_id": str(wanted.job_id)}
    names = {"status": list(wanted.states), "strategy": list(wanted.strategies), "weights": list(wanted.weights)}
    return {
        **names,
        **since,
        **job,
        "needs_review": wanted.needs_review,
        "flagged": wanted.flagged,
        "marked": wanted.marked,
        "limit": size,
    }


def describe_choice(name: str | None, choice: DeletionChoice) -> Json:
    """Return what is to be deleted as a request has it."""
    older_than = choice.get("older_than")
    if isinstance(older_than, timedelta):
        older_than = datetime.now().astimezone() - older_than
    moment = older_than.isoformat() if isinstance(older_than, datetime) else older_than
    values = {"name": name, "document": choice.get("document"), "older_than": moment}
    return {field: value for field, value in values.items() if value is not None}


def read_answer(kind: type[Answer], values: object) -> Answer:
    """Return the values of an answer as a type of ours."""
    adapter: TypeAdapter[Answer] = ADAPTERS.get(kind) or ADAPTERS.setdefault(kind, TypeAdapter(kind))
    return adapter.validate_python(values)
