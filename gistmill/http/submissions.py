"""Routes that submit documents: texts and addresses as JSON, files as an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, UploadFile
from pydantic import ValidationError

from gistmill.batch import Batch
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.idempotency import RepeatKey, digest_request, run_once
from gistmill.http.requests import PlanBody, SubmissionBody, TextSubmissionBody
from gistmill.http.services import Services, Shared
from gistmill.http.uploads import store_uploads
from gistmill.http.webhooks import check_webhook
from gistmill.planning import DocumentPlan
from producer.sources.given import GivenItem, NamedFile
from producer.sources.source import SourceDuplicate, SourceNote, SourceProblem
from producer.webhooks import add_webhook

router = APIRouter(prefix="/api", tags=["submit"])


@dataclass(frozen=True, slots=True)
class SubmissionAnswer:
    """A batch, and what became of the documents of a submission to it.

    Args:
        id: id of the batch.
        name: its name.
        new: number of new jobs.
        existing: number of jobs that were there before.
        unsent: number of steps that the broker did not take; workers find them later.
        duplicates: documents dropped as equal to earlier ones.
        problems: sources that could not be read, with the reasons.
        notes: choices made in reading, such as a guessed column.
    """

    id: UUID
    name: str
    new: int
    existing: int
    unsent: int
    duplicates: tuple[SourceDuplicate, ...]
    problems: tuple[SourceProblem, ...]
    notes: tuple[SourceNote, ...]


REFUSALS = describe_responses(409, 413)


@router.post("/batches", status_code=201, responses=REFUSALS)
async def submit_documents(body: TextSubmissionBody, services: Shared, key: RepeatKey = None) -> SubmissionAnswer:
    """Submit texts and addresses of pages; the same ones with the same options are the same jobs."""
    return await services.read_documents(_submit_once, services, key, body.list_documents(), body)


@router.post("/batches/files", status_code=201, responses=REFUSALS)
async def submit_files(
    services: Shared,
    files: list[UploadFile],
    request: Annotated[str, Form(description="A SubmissionBody as JSON.")] = "{}",
    key: RepeatKey = None,
) -> SubmissionAnswer:
    """Submit files of every kind that `gistmill submit` reads; their names are labels."""
    body = parse_submission(request)
    async with store_uploads(files) as documents:
        return await services.read_documents(_submit_once, services, key, documents, body)


@router.post("/plan", responses=describe_responses(413, 501))
async def plan_documents(body: PlanBody, services: Shared) -> list[DocumentPlan]:
    """Say how documents would be summarized and what that would take at most; nothing is submitted."""
    return await services.read_documents(_plan, services, body)


def parse_submission(text: str) -> SubmissionBody:
    """Return the submission in a field of an upload.

    Raises:
        RequestError: it is not valid.
    """
    try:
        return SubmissionBody.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("request", *first["loc"]))
        raise RequestError(422, f"{place}: {first['msg']}", param=place) from error


def _submit_once(
    services: Services, key: str | None, documents: Sequence[GivenItem], body: SubmissionBody
) -> SubmissionAnswer:
    if key is None:
        return _submit(services, documents, body)
    files = [item for item in documents if isinstance(item, NamedFile)]
    request = digest_request("/api/batches", body.model_dump(mode="json"), files)
    return run_once(services, key, request, lambda: _submit(services, documents, body), SubmissionAnswer)


def _submit(services: Services, documents: Sequence[GivenItem], body: SubmissionBody) -> SubmissionAnswer:
    if body.webhook is not None:
        check_webhook(body.webhook, services.settings)
    options: Mapping[str, Any] = body.options.list_given()
    batch = services.client.submit(
        documents,
        name=body.name,
        on_read=lambda _: None,
        priority=body.priority,
        strict=body.strict,
        keep_days=body.keep_days,
        **options,
    )
    if body.webhook is not None:
        with services.open_transaction() as session:
            add_webhook(session, batch.id, body.webhook, has_new_jobs=batch.new > 0)
    return _describe(batch)


def _describe(batch: Batch) -> SubmissionAnswer:
    return SubmissionAnswer(**batch.list_values())


def _plan(services: Services, body: PlanBody) -> list[DocumentPlan]:
    return services.client.plan(body.list_documents(), **body.options.list_given())
