"""Page of all batches with their progress, the newest first, and the upload of documents."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from starlette.responses import HTMLResponse, Response

from gistmill.batch import Batch
from gistmill.http.cursors import Cursor, decode_batch_place, encode_cursor
from gistmill.http.errors import RequestError
from gistmill.http.pages.notices import redirect_with_notice
from gistmill.http.pages.rendering import PageRoute, render
from gistmill.http.requests import SubmissionBody
from gistmill.http.services import Services, Shared
from gistmill.http.submissions import parse_submission
from gistmill.http.uploads import store_uploads
from models.batch_counts import count_batches
from models.choices import STRATEGIES
from producer.sources.given import NamedFile
from producer.status import list_loads

router = APIRouter(include_in_schema=False, route_class=PageRoute)
SHOWN_BATCHES = 20
# Those that need nothing else; few-shot and custom need examples or a prompt.
STYLES = ("auto", "technical", "news", "eli5")


@router.get("/")
def show_batches(services: Shared, cursor: Cursor = None) -> HTMLResponse:
    """Show the batches."""
    with services.connection.open_session() as session:
        batches = count_batches(session, limit=SHOWN_BATCHES + 1, after=decode_batch_place(cursor))
        workers = list_loads(session)
    shown, others = batches[:SHOWN_BATCHES], batches[SHOWN_BATCHES:]
    return render(
        "overview.html",
        batches=shown,
        next_cursor=encode_cursor(shown[-1].created_at, shown[-1].batch_id) if others else None,
        is_first=cursor is None,
        workers=workers,
        strategies=STRATEGIES,
        styles=STYLES,
        has_token=services.token_check is not None,
    )


@router.post("/upload")
async def upload_files(
    services: Shared,
    files: list[UploadFile],
    name: Annotated[str, Form()] = "",
    strategy: Annotated[str, Form()] = "",
    style: Annotated[str, Form()] = "",
    words: Annotated[str, Form()] = "",
) -> Response:
    """Submit the files of the form, and show their batch."""
    # A form without a file sends one that has neither a name nor bytes.
    chosen = [file for file in files if file.filename]
    if not chosen:
        raise RequestError(422, "no file was chosen; go back and choose one or more")
    given = {"strategy": strategy.strip(), "style": style.strip()}
    options: dict[str, str | int] = {option: value for option, value in given.items() if value}
    if words.strip():
        options["words"] = read_number(words)
    body = parse_submission(json.dumps({"name": name.strip() or None, "options": options}))
    async with store_uploads(chosen) as documents:
        batch = await services.read_documents(_submit, services, documents, body)
    if batch.problems or batch.duplicates:
        return render("submitted.html", status=201, batch=batch, has_token=services.token_check is not None)
    return redirect_with_notice(f"/batches/{batch.id}", "submitted", batch.new)


def read_number(words: str) -> int:
    """Return the number in a field of the form.

    Raises:
        RequestError: it holds none.
    """
    try:
        return int(words)
    except ValueError:
        raise RequestError(422, f"{words[:20]!r} is no number of words; go back and give one such as 120") from None


def _submit(services: Services, documents: list[NamedFile], body: SubmissionBody) -> Batch:
    return services.client.submit(
        documents, name=body.name, on_read=lambda _: None, priority=body.priority, **body.options.list_given()
    )
