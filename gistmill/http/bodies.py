"""Bounds of the bodies of requests, kept while a body is read: a length that is absent or a lie changes nothing."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gistmill.http.errors import answer_error
from gistmill.http.guard import OPEN_PATHS
from producer.sources.limits import MIB, ReadLimits, format_bytes

# Largest upload: several files, each as large as on the command line.
MAX_UPLOAD_BYTES = 512 * MIB
# Largest body of JSON.
MAX_JSON_BYTES = ReadLimits().file_bytes
# Largest body of what is answered without the token, which the form of the login is: anybody may send it.
MAX_OPEN_BYTES = 16 * 1024
# The rest of the body is not read.
CLOSE = {"Connection": "close"}


class BodyLimit:
    """Middleware that ends a request whose body is larger than is allowed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a body that ends at its bound."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bound = choose_bound(scope["path"], headers)
        sentence = f"the body is larger than the {format_bytes(bound)} allowed; send the documents in several requests"
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > bound:
            await answer_error(413, sentence, code="too_large", headers=CLOSE)(scope, receive, send)
            return
        await self._app(scope, _limit(receive, bound, sentence), send)


def choose_bound(path: str, headers: Headers) -> int:
    """Return the largest body of a request, in bytes."""
    if path in OPEN_PATHS:
        return MAX_OPEN_BYTES
    is_upload = headers.get("content-type", "").lower().startswith("multipart/form-data")
    return MAX_UPLOAD_BYTES if is_upload else MAX_JSON_BYTES


def _limit(receive: Receive, bound: int, sentence: str) -> Receive:
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > bound:
            raise HTTPException(413, sentence, headers=CLOSE)
        return message

    return receive_bounded
