"""The application of ``gistmill serve``: its routers, the guards in front of them, and what its requests share."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gistmill.connection import Connection
from gistmill.direct import DirectCluster
from gistmill.http import batches, deletions, documentation, events, jobs, login, submissions, webhooks
from gistmill.http.bodies import BodyLimit
from gistmill.http.errors import add_handlers, describe_responses
from gistmill.http.guard import Guard
from gistmill.http.housekeeping import Housekeeping
from gistmill.http.idempotency import delete_old_keys
from gistmill.http.openai import batches as chat_batches
from gistmill.http.openai import files
from gistmill.http.pages import assets, batch_page, job_page, overview, steering
from gistmill.http.progress import ProgressHub
from gistmill.http.services import SUBMISSIONS, THREADS, Services, SharedConnection
from gistmill.http.token_check import TokenCheck
from gistmill.http.webhooks import make_policy
from models.settings import Settings
from producer.chat.progress import advance_batches
from producer.watch import poll_batch
from producer.webhooks import deliver_webhooks

LOGGER = logging.getLogger("gistmill.http")
# In the order of the documentation; a page's router comes last, so that it takes no path of the API.
ROUTERS = (
    submissions.router,
    batches.router,
    events.router,
    jobs.router,
    webhooks.router,
    deletions.router,
    files.router,
    chat_batches.router,
    documentation.router,
    login.router,
    assets.router,
    overview.router,
    batch_page.router,
    job_page.router,
    steering.router,
)
SUMMARY = "Submit documents, follow their batches, read the summaries with their provenance."
# Pages load nothing from elsewhere, run and style nothing that is written into them, and cannot be framed. The referrer
# stays within the server: with none at all, browsers send a form without its origin, which the guard refuses.
SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip


class SecurityHeaders:
    """Middleware that adds the headers that keep a browser from loading, framing or guessing anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_app(settings: Settings) -> FastAPI:
    """Return the application for a cluster; it connects at its start.

    Raises:
        SettingsError: no cluster is known.
        WebhookError: the secret of webhooks is invalid.
    """
    settings.require_database_url()
    settings.require_broker_url()
    make_policy(settings)
    token_check = make_token_check(settings)
    app = FastAPI(
        title="Gistmill",
        version=version("gistmill"),
        summary=SUMMARY,
        responses=describe_responses(400, 401, 403, 413, 422, 429, 503),
        lifespan=lambda app: _run(app, settings, token_check),
        # Their pages load scripts from elsewhere; ours is in ``documentation``.
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    # The last one added is the first one passed.
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, token_check=token_check)
    app.add_middleware(SecurityHeaders)
    return app


def make_token_check(settings: Settings) -> TokenCheck | None:
    """Return the check of the settings' token; None without one."""
    return None if settings.serve_token is None else TokenCheck(settings.serve_token.get_secret_value())


@asynccontextmanager
async def _run(app: FastAPI, settings: Settings, token_check: TokenCheck | None) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    connection = SharedConnection(settings, warn=LOGGER.warning)
    stopping = threading.Event()
    threads = _make_threads(settings, connection, stopping)
    app.state.services = Services(
        settings=settings,
        token_check=token_check,
        cluster=DirectCluster(connection),
        hub=ProgressHub(lambda batch_id: poll_batch(connection.engine, batch_id)),
        submissions=CapacityLimiter(SUBMISSIONS),
    )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            await to_thread.run_sync(thread.join)
        connection.close()


def _make_threads(settings: Settings, connection: Connection, stopping: threading.Event) -> list[Housekeeping]:
    chores = [partial(_advance_batches, connection), partial(delete_old_keys, connection.engine)]
    threads = [Housekeeping(chores, stopping=stopping)]
    policy = make_policy(settings)
    if policy is not None:
        deliver = partial(deliver_webhooks, connection.engine, policy, stopping=stopping)
        threads.append(Housekeeping([deliver], stopping=stopping))
    return threads


def _advance_batches(connection: Connection) -> None:
    with connection.open_outbox() as outbox_publisher:
        advance_batches(connection.engine, outbox_publisher)
