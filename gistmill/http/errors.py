"""Errors of the server, and the one form of JSON in which every error is answered.

GistmillError (models.errors)
└── RequestError     a request is refused; has the HTTP status
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from gistmill.errors import MissingLibraryError
from models.errors import FullDiskError, GistmillError, NameInUseError, UnknownIdError, UnreachableError
from models.full_disk import find_write_error
from models.validation import describe_first_error

LOGGER = logging.getLogger("gistmill.http")

STATUS_OF_ERROR: tuple[tuple[type[GistmillError], int], ...] = (
    (UnknownIdError, 404),
    (NameInUseError, 409),
    (MissingLibraryError, 501),
    (UnreachableError, 503),
    (FullDiskError, 507),
)
UPLOAD_REMEDY = "free some space there, or start the server with TMPDIR on a larger disk, and send the request again"
# A request that is well formed and cannot be done: the status of every other error.
UNPROCESSABLE = 422
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
SERVER_ERROR = 500


class ErrorDetail(BaseModel):
    """The content of an error: a sentence that says what to do, as OpenAI's API writes it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """Every answer with a status of 400 or above."""

    error: ErrorDetail


class RequestError(GistmillError):
    """A request is refused.

    Args:
        status: HTTP status of the answer.
        message: a sentence that says what to do.
        param: field of the request that is wrong.
        code: short name of the error, for programs.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.headers = headers


def describe_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the entries of the OpenAPI document for answers with an error."""
    return {status: {"model": ErrorBody, "description": DESCRIPTIONS[status]} for status in statuses}


DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "The token is missing or wrong.",
    403: "The request comes from another origin or under another host's name.",
    404: "There is nothing of this name or id.",
    409: "The request conflicts with the state of its target, or with another request that is under way.",
    411: "The length of the body is missing.",
    413: "The body is larger than is allowed.",
    415: "The body has another type than is read here.",
    422: "A value is not allowed, or the documents cannot be used.",
    429: "Too many wrong tokens came from the address; the header Retry-After says when to try again.",
    501: "The server lacks a library for this.",
    503: "A server of the cluster does not answer, or has no room.",
    507: "The server has no room for an upload.",
}


def answer_error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer for an error."""
    kind = TYPES.get(status, "server_error" if status >= SERVER_ERROR else "invalid_request_error")
    detail = ErrorDetail(message=message, type=kind, param=param, code=code)
    return JSONResponse(ErrorBody(error=detail).model_dump(), status, headers=dict(headers or {}))


def find_status(error: GistmillError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUS_OF_ERROR if isinstance(error, kind)), UNPROCESSABLE)


def add_handlers(app: FastAPI) -> None:
    """Answer every error of an application in the same form."""
    app.add_exception_handler(RequestError, _answer_refused)
    app.add_exception_handler(GistmillError, _answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_unexpected)


def _answer_refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestError):
        raise error
    return answer_error(error.status, str(error), param=error.param, code=error.code, headers=error.headers)


def _answer_ours(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, GistmillError):
        raise error
    # Such as unknown_id for UnknownIdError, by which a client finds the class again.
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()
    return answer_error(find_status(error), str(error), code=code)


def _answer_invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    place, words = describe_first_error(error)
    return answer_error(UNPROCESSABLE, f"{place}: {words}; /docs lists what is allowed", param=place)


def _answer_http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    # FastAPI blames the request for every error of its parser, which keeps large uploads in temporary files.
    if error.__cause__ is not None and (reason := find_write_error(error.__cause__)) is not None:
        place = tempfile.gettempdir()
        return answer_error(507, f"{place} cannot be written: {reason}; {UPLOAD_REMEDY}", code="full_disk")
    return answer_error(error.status_code, f"{error.detail}; /docs lists what there is", headers=error.headers)


def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    LOGGER.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer_error(SERVER_ERROR, "the server failed at this request; its log says why")
