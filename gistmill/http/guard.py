"""Guard of the server: the token, and the hosts and origins from which requests are taken.

A page of another site can make a browser send requests here. Without a token only the names of this machine are
answered to, so that a name which is re-bound to 127.0.0.1 reaches nothing. In both cases an Origin other than the
server's own is refused, whatever the method.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gistmill.http.errors import answer_error
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


def make_session(token: str) -> str:
    """Return the value of the session cookie, from which the token cannot be told."""
    return hmac.new(token.encode(), b"gistmill session", hashlib.sha256).hexdigest()


def is_same(given: str, expected: str) -> bool:
    """Compare a secret in a time that does not depend on where the two differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class Guard:
    """Middleware that refuses requests without the token, to other hosts' names, or from other origins.

    Args:
        app: the application behind it.
        token: the token; None where this machine alone can connect.
    """

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        self._app = app
        self._token = token
        self._session = None if token is None else make_session(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._check_host(headers) or check_origin(headers, scope["method"]) or self._check(scope, headers)
        await (refusal or self._app)(scope, receive, send)

    def _check_host(self, headers: Headers) -> Response | None:
        if self._token is not None:
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
        if self._token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER) or self._is_known(headers):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"{LOGIN_PATH}?next={quote(path)}", 303)
        return answer_error(
            401,
            "the token is missing or wrong; send it as the header 'Authorization: Bearer TOKEN'",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _is_known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if self._token is None or self._session is None:
            return False
        if kind.lower() == "bearer" and is_same(given.strip(), self._token):
            return True
        return is_same(read_cookie(headers, SESSION_COOKIE), self._session)


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
