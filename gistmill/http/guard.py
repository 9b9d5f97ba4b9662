"""Guard of the server: the token, and the hosts and origins from which requests are taken.

A page of another site can make a browser send requests here. Without a token only the names of this machine are
answered to, so that a name which is re-bound to 127.0.0.1 reaches nothing. In both cases an Origin other than the
server's own is refused, whatever the method.
"""

from __future__ import annotations

import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gistmill.http.errors import RequestError, answer_error
from gistmill.http.token_check import TokenCheck, find_address
from models.errors import SettingsError
from models.settings import Settings

# Cookie of a browser that has given the token at LOGIN_PATH.
SESSION_COOKIE = "gistmill_session"
LOGIN_PATH = "/login"
LOGOUT_PATH = "/logout"
# Answered without the token; none of them shows anything of the cluster.
OPEN_PATHS = frozenset({LOGIN_PATH, "/healthz", "/docs", "/openapi.json"})
# What pages without the token may load.
OPEN_FOLDER = "/static/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN_SITES = frozenset({"cross-site", "same-site"})


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(settings: Settings) -> None:
    """Refuse to listen where others can connect without a token.

    Raises:
        SettingsError: there is no token, and the address is not of this machine alone.
    """
    if not is_loopback(settings.serve_host) and settings.serve_token is None:
        raise SettingsError(
            f"on {settings.serve_host} others can connect: set GISTMILL_SERVE_TOKEN to a token of 16 characters or "
            "more, or serve on 127.0.0.1"
        )


class Guard:
    """Middleware that refuses requests without the token, to other hosts' names, or from other origins.

    Args:
        app: the application behind it.
        token_check: check of the token; None where this machine alone can connect.
    """

    def __init__(self, app: ASGIApp, *, token_check: TokenCheck | None) -> None:
        self._app = app
        self._token_check = token_check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._check_host(headers) or check_origin(headers, scope["method"]) or self._check(scope, headers)
        await (refusal or self._app)(scope, receive, send)

    def _check_host(self, headers: Headers) -> Response | None:
        if self._token_check is not None:
            return None
        host = split_host(headers.get("host", ""))
        if host is not None and is_loopback(host):
            return None
        return answer_error(
            403,
            "without a token only requests to localhost are answered; set GISTMILL_SERVE_TOKEN to serve other names",
            code="foreign_host",
        )

    def _check(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        if self._token_check is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return None
        try:
            if is_known(self._token_check, scope, headers):
                return None
        except RequestError as error:
            return answer_error(error.status, str(error), code=error.code, headers=error.headers)
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"{LOGIN_PATH}?next={quote(path)}", 303)
        return answer_error(
            401,
            "the token is missing or wrong; send it as the header 'Authorization: Bearer TOKEN'",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def is_known(token_check: TokenCheck, scope: Scope, headers: Headers) -> bool:
    """Tell whether a request carries the cookie of a login, or the token.

    Raises:
        RequestError: its address has sent too many wrong tokens.
    """
    if token_check.is_session(read_cookie(headers, SESSION_COOKIE)):
        return True
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and token_check.is_token(given.strip(), find_address(scope))


def check_origin(headers: Headers, method: str) -> Response | None:
    """Return the refusal of a request from a page of another origin; None for any other request."""
    origin = headers.get("origin")
    is_foreign = origin is not None and urlsplit_netloc(origin) != headers.get("host", "").lower()
    is_cross_site = headers.get("sec-fetch-site") in FOREIGN_SITES and method not in SAFE_METHODS
    if not is_foreign and not is_cross_site:
        return None
    return answer_error(403, "requests from pages of other origins are refused", code="foreign_origin")


def urlsplit_netloc(origin: str) -> str | None:
    """Return host and port of an origin; None for one that is no address."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def split_host(host: str) -> str | None:
    """Return the name in a Host header, without its port; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def read_cookie(headers: Headers, name: str) -> str:
    """Return the value of a cookie; "" without it."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value
