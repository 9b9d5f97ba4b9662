"""Rendering of the pages, and of errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from gistmill.http.errors import UNPROCESSABLE, RequestError, find_status
from gistmill.http.pages.assets import find_asset
from models.errors import GistmillError
from models.validation import describe_first_error
from producer.report.environment import make_environment
from producer.wording import count

TEMPLATES = Path(__file__).parent / "templates"
# What a page shows is private, and may have changed at the next look.
HEADERS = {"Cache-Control": "private, no-cache"}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """Route of a page, whose errors are pages too."""

    def get_route_handler(self) -> Handler:
        """Return the handler of the route."""
        handle = super().get_route_handler()

        async def handle_with_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestError as error:
                return render_error(error.status, str(error))
            except GistmillError as error:
                return render_error(find_status(error), str(error))
            except HTTPException as error:
                return render_error(error.status_code, str(error.detail))
            except RequestValidationError as error:
                place, words = describe_first_error(error)
                # The name of the field in its form.
                return render_error(UNPROCESSABLE, f"{place.rpartition('.')[2]}: {words}")

        return handle_with_errors


def render(name: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page.

    Args:
        name: its template.
        status: HTTP status.
        values: what the template shows.
    """
    return HTMLResponse(get_environment().get_template(name).render(**values), status, headers=HEADERS)


def render_error(status: int, message: str) -> HTMLResponse:
    """Return a page that says what is wrong."""
    return render("error.html", status=status, message=message)


@cache
def get_environment() -> Environment:
    """Return the templates."""
    environment = make_environment(TEMPLATES)
    environment.globals.update(asset=find_asset, count=count)
    return environment
