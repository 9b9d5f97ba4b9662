"""Routes that submit documents: texts and addresses as JSON, files as an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, UploadFile
from pydantic import ValidationError

from gistmill.batch_record import BatchRecord
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.idempotency import RepeatKey, digest_request, run_once
from gistmill.http.requests import PlanBody, SubmissionBody, TextSubmissionBody
from gistmill.http.services import Services, Shared
from gistmill.http.uploads import store_uploads
from gistmill.http.webhooks import require_secret
from gistmill.planning import DocumentPlan
from models.validation import describe_first_error
from producer.sources.given import GivenItem, NamedFile

router = APIRouter(prefix="/api", tags=["submit"])


REFUSALS = describe_responses(409, 413)
UPLOAD_REFUSALS = describe_responses(409, 413, 507)


@router.post("/batches", status_code=201, responses=REFUSALS)
async def submit_documents(body: TextSubmissionBody, services: Shared, key: RepeatKey = None) -> BatchRecord:
    """Submit texts and addresses of pages; the same ones with the same options are the same jobs."""
    return await services.read_documents(_submit_once, services, key, body.list_documents(), body)


@router.post("/batches/files", status_code=201, responses=UPLOAD_REFUSALS)
async def submit_files(
    services: Shared,
    files: list[UploadFile],
    request: Annotated[str, Form(description="A SubmissionBody as JSON.")] = "{}",
    key: RepeatKey = None,
) -> BatchRecord:
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
        place, words = describe_first_error(error, within=["request"])
        raise RequestError(422, f"{place}: {words}", param=place) from error


def _submit_once(
    services: Services, key: str | None, documents: Sequence[GivenItem], body: SubmissionBody
) -> BatchRecord:
    if key is None:
        return _submit(services, documents, body)
    files = [item for item in documents if isinstance(item, NamedFile)]
    request = digest_request("/api/batches", body.model_dump(mode="json"), files)
    return run_once(services, key, request, lambda: _submit(services, documents, body), BatchRecord)


def _submit(services: Services, documents: Sequence[GivenItem], body: SubmissionBody) -> BatchRecord:
    if body.webhook is not None:
        require_secret(services.settings)
    options: Mapping[str, Any] = body.options.list_given()
    batch = services.client.submit(
        documents,
        name=body.name,
        on_read=lambda _: None,
        priority=body.priority,
        strict=body.strict,
        keep_days=body.keep_days,
        webhook=body.webhook,
        **options,
    )
    return BatchRecord(**batch.list_values())


def _plan(services: Services, body: PlanBody) -> list[DocumentPlan]:
    return services.client.plan(body.list_documents(), **body.options.list_given())
