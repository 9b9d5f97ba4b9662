"""Login of browsers: a form that takes the token once and leaves a cookie, which the guard accepts in its place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gistmill.http.errors import RequestError
from gistmill.http.guard import LOGIN_PATH, LOGOUT_PATH, SESSION_COOKIE
from gistmill.http.pages.rendering import PageRoute, render
from gistmill.http.services import Shared
from gistmill.http.token_check import find_address

router = APIRouter(include_in_schema=False, route_class=PageRoute)
# Seconds that a browser keeps the cookie: 30 days.
SESSION_SECONDS = 30 * 24 * 3600


@router.get(LOGIN_PATH)
def show_form(next: str = "/") -> HTMLResponse:  # noqa: A002 - the name of the parameter
    """Show the form."""
    return render("login.html", next=next, words="")


@router.post(LOGIN_PATH)
def log_in(
    services: Shared,
    request: Request,
    token: Annotated[str, Form(max_length=1_000)],
    next: Annotated[str, Form(max_length=1_000)] = "/",  # noqa: A002 - the name of the field
) -> Response:
    """Set the cookie for the right token, and show the page that was asked for."""
    token_check = services.token_check
    try:
        is_right = token_check is not None and token_check.is_token(token, find_address(request.scope))
    except RequestError as error:
        answer: Response = render("login.html", status=error.status, next=next, words=f"{str(error).capitalize()}.")
        answer.headers.update(error.headers or {})
        return answer
    if token_check is None or not is_right:
        return render("login.html", status=401, next=next, words="This is not the token.")
    # A path of this server: "//host" and "/\host" would lead to another.
    is_path = next.startswith("/") and next[1:2] not in ("/", "\\")
    answer = RedirectResponse(next if is_path else "/", 303)
    answer.set_cookie(
        SESSION_COOKIE,
        token_check.session,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post(LOGOUT_PATH)
def log_out() -> RedirectResponse:
    """Delete the cookie."""
    answer = RedirectResponse(LOGIN_PATH, 303)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return answer
