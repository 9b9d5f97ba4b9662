"""Web pages from a real server on this machine, and the tricks that a hostile one plays."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from producer.errors import LimitError, SourceUsageError, UnreadableError
from producer.sources import ReadLimits, Source, pages, read_sources
from producer.sources.kinds import FileKind
from producer.sources.pages import fetch_page
from producer.sources.source import SourceProblem
from tests.unit.producer.sources.made_files import make_pdf

HERE = ReadLimits(allow_private_hosts=True)


@dataclass
class Site:
    """A server whose pages the test fills in: path -> status, headers, body."""

    port: int
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, path: str, body: bytes = b"", status: int = 200, /, **headers: str) -> str:
        """Serve a page and return its URL; header names are written with underscores."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, names, body)
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.requests.append((self.path, self.headers["Host"]))
            status, headers, body = here.pages[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.path == "/slow":
                time.sleep(1.5)
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Site(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()


def test_a_page_is_read_under_the_loop_of_a_notebook_too(site: Site) -> None:
    url = site.add("/page", b"<p>Words.</p>", Content_Type="text/html")

    async def fetch_in_cell() -> pages.Page:
        return fetch_page(url, HERE)

    assert asyncio.run(fetch_in_cell()).data == b"<p>Words.</p>"


def test_a_page_becomes_a_source_named_by_its_url(site: Site) -> None:
    body = "<html><title>Ж</title><h1>Привет</h1><p>мир, щи</p></html>".encode("cp1251")
    url = site.add("/a", body, Content_Type="text/html; charset=windows-1251")
    (source,) = read_sources([url], limits=HERE)
    assert isinstance(source, Source)
    assert (source.name, source.title, source.text.split()) == (url, "Ж", ["#", "Привет", "мир,", "щи"])
    assert source.metadata == {"url": url}


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("text/html", FileKind.HTML),
        ("text/markdown; charset=utf-8", FileKind.MARKDOWN),
        ("text/plain", None),
        ("", None),
    ],
)
def test_the_content_type_tells_the_kind(site: Site, media_type: str, kind: FileKind | None) -> None:
    assert fetch_page(site.add("/a", b"text", Content_Type=media_type), HERE).kind is kind


def test_a_pdf_at_a_url_is_read(site: Site) -> None:
    (source,) = read_sources([site.add("/a", make_pdf("Hello"), Content_Type="application/pdf")], limits=HERE)
    assert isinstance(source, Source)
    assert source.text == "Hello"


def test_redirects_are_followed_with_the_host_that_the_url_names(site: Site) -> None:
    site.add("/end", b"text", Content_Type="text/plain")
    url = site.add("/start", b"", 302, Location="/end")
    assert fetch_page(url, HERE).url == f"http://127.0.0.1:{site.port}/end"
    assert site.requests == [("/start", f"127.0.0.1:{site.port}"), ("/end", f"127.0.0.1:{site.port}")]


def test_a_page_of_this_machine_is_refused_by_default(site: Site) -> None:
    with pytest.raises(SourceUsageError, match=r"leads to 127\.0\.0\.1"):
        fetch_page(site.add("/a"), ReadLimits())
    assert site.requests == []


@pytest.mark.parametrize(
    "target", ["http://10.0.0.5/", "http://169.254.169.254/latest", "file:///etc/passwd", "ftp://a/b"]
)
def test_a_redirect_to_the_inside_is_refused(site: Site, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ipaddress.ip_address("127.0.0.1")
    is_public = pages.is_public_address
    monkeypatch.setattr(pages, "is_public_address", lambda address: address == server or is_public(address))
    with pytest.raises(SourceUsageError, match=r"leads to (10\.0\.0\.5|169\.254\.169\.254|file|ftp)"):
        fetch_page(site.add("/start", b"", 302, Location=target), ReadLimits())


def test_a_name_that_changes_its_address_is_resolved_only_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["127.0.0.1", "10.0.0.5"])

    def rebind(_host: object, port: object, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    site.add("/a", b"text", Content_Type="text/plain")
    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    assert fetch_page(f"http://rebind.example:{site.port}/a", HERE).data == b"text"
    assert site.requests == [("/a", f"rebind.example:{site.port}")]
    assert next(answers) == "10.0.0.5"


def test_endless_redirects_end(site: Site) -> None:
    with pytest.raises(LimitError, match="redirects more than 5 times"):
        fetch_page(site.add("/a", b"", 301, Location="/a"), HERE)
    assert len(site.requests) == 6


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
def test_a_page_that_is_too_large_is_refused(site: Site, headers: dict[str, str]) -> None:
    body = b"x" * 3_000_000
    url = site.add("/a", gzip.compress(body) if headers else body, **headers)
    with pytest.raises(LimitError, match="is larger than the 1 MiB allowed for a page"):
        fetch_page(url, ReadLimits(allow_private_hosts=True, page_bytes=1024 * 1024))


def test_a_page_that_is_too_slow_is_refused(site: Site) -> None:
    with pytest.raises(LimitError, match="took more than 1 s to fetch"):
        fetch_page(site.add("/slow", b"late"), ReadLimits(allow_private_hosts=True, url_seconds=1))


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (404, {}, "gives HTTP status 404"),
        (200, {"Content_Type": "image/png"}, "is of type image/png"),
        (200, {"Content_Type": "text/csv"}, "is of type text/csv"),
        (200, {"Content_Encoding": "br"}, "compression that was not asked for"),
    ],
)
def test_what_is_no_page_is_refused(site: Site, status: int, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        fetch_page(site.add("/a", b"text", status, **headers), HERE)


def test_a_server_that_is_away_is_a_clear_error(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreadableError, match="cannot be fetched"):
        fetch_page(f"http://127.0.0.1:{port}/", HERE)


INVALID_URLS = [
    "http://", "http://[::1", "https://a b/", "http://x:99999999/", "http://8.8.8.8:99999/", "http://8.8.8.8:0/",
    "http://xn--/",
]  # fmt: skip


@pytest.mark.parametrize("url", INVALID_URLS)
def test_an_invalid_url_is_a_clear_error(url: str) -> None:
    with pytest.raises((SourceUsageError, UnreadableError)):
        fetch_page(url, HERE)


@pytest.mark.parametrize("target", ["http://8.8.8.8:99999/", "http://xn--/"])
def test_a_redirect_to_an_invalid_url_is_a_clear_error(target: str, site: Site) -> None:
    with pytest.raises(SourceUsageError, match="check"):
        fetch_page(site.add("/start", b"", 302, Location=target), HERE)


def test_an_invalid_url_leaves_the_other_sources_alone(site: Site) -> None:
    good = site.add("/a", b"text", Content_Type="text/plain")
    problem, source = read_sources(["http://8.8.8.8:99999/", good], limits=HERE)
    assert isinstance(problem, SourceProblem)
    assert "8.8.8.8:99999" in problem.message
    assert isinstance(source, Source)
    assert source.text == "text"


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    (problem,) = read_sources(["http://user:secret@host.example/a"])
    assert "secret" not in str(problem)
    assert "carries a user name or password" in str(problem)
