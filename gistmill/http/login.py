"""Login of browsers: a form that takes the token once and leaves a cookie, which the guard accepts in its place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gistmill.http.guard import LOGIN_PATH, SESSION_COOKIE, is_same, make_session
from gistmill.http.services import Shared

router = APIRouter(include_in_schema=False)
# Seconds that a browser keeps the cookie: 30 days.
SESSION_SECONDS = 30 * 24 * 3600
FORM = Markup("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Gistmill</title>
<body><main><h1>Gistmill</h1>
<form method="post"><input type="hidden" name="next" value="{next}">
<p><label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Log in</button></p><p role="alert">{words}</p></form></main></body></html>
""")


@router.get(LOGIN_PATH)
def show_form(next: str = "/") -> HTMLResponse:  # noqa: A002 - the name of the parameter
    """Show the form."""
    return HTMLResponse(FORM.format(next=next, words=""))


@router.post(LOGIN_PATH)
def log_in(
    services: Shared,
    request: Request,
    token: Annotated[str, Form(max_length=1_000)],
    next: Annotated[str, Form(max_length=1_000)] = "/",  # noqa: A002 - the name of the field
) -> Response:
    """Set the cookie for the right token, and show the page that was asked for."""
    expected = services.token
    if expected is None or not is_same(token, expected):
        return HTMLResponse(FORM.format(next=next, words="This is not the token."), 401)
    # A path of this server: "//host" and "/\host" would lead to another.
    is_path = next.startswith("/") and next[1:2] not in ("/", "\\")
    answer = RedirectResponse(next if is_path else "/", 303)
    answer.set_cookie(
        SESSION_COOKIE,
        make_session(expected),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
