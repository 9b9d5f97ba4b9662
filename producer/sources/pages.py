"""Fetching of one web page, within limits of size and time, from public addresses only unless allowed otherwise.

The host of each redirect is resolved once, and the connection goes to the checked address, which prevents DNS
rebinding and server-side request forgery. Proxies of the environment are ignored, because they would resolve the name
themselves.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from producer.errors import LimitError, SourceUsageError, UnreadableError
from producer.sources.documents import read_document
from producer.sources.kinds import MEDIA_TYPES, FileKind
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.sandbox import Sandbox
from producer.sources.source import Content

if TYPE_CHECKING:
    import httpx


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Answer = TypeVar("Answer")

# IPv6 prefixes that a gateway translates to the IPv4 address in the last 32 bits (RFC 6052, RFC 8215).
TRANSLATED_NETWORKS = tuple(ipaddress.IPv6Network(prefix) for prefix in ("64:ff9b::/96", "64:ff9b:1::/48"))

# Networks that IANA reserves for protocols, relays, documentation and sites, but some versions of Python call global.
SPECIAL_NETWORKS = tuple(
    ipaddress.ip_network(prefix) for prefix in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "fec0::/10")
)


def is_public_address(address: Address) -> bool:
    """Return False for loopback, private, link-local, shared, multicast and reserved addresses.

    An IPv6 address with an embedded IPv4 address (mapped, 6to4, Teredo, NAT64) is as public as that address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _find_embedded(address)
        if embedded is not None:
            return is_public_address(embedded)
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in SPECIAL_NETWORKS)
    return address.is_global and not is_special


async def resolve_host(host: str, port: int, *, allow_private: bool) -> str:
    """Resolve a host once and return the checked address to connect to.

    Args:
        host: name or address.
        port: TCP port.
        allow_private: accept addresses that are not public.

    Raises:
        UnreadableError: the host has no address.
        SourceUsageError: one of its addresses is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreadableError(f"leads to host {host!r}, which has no address; check the name") from error
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    for address in addresses:
        if not allow_private and not is_public_address(ipaddress.ip_address(address.split("%")[0])):
            raise SourceUsageError(
                f"leads to {address}, an address of this machine or a private network, which is refused; "
                "save the page to a file and submit that"
            )
    return addresses[0]


def _find_embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(address in network for network in TRANSLATED_NETWORKS):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo_client = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo_client


DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65535
HEADERS = {"User-Agent": "gistmill", "Accept": "text/html, text/*;q=0.9, application/pdf;q=0.8, */*;q=0.1"}
# Compressions with a bounded ratio (about 1,000 to 1), so that one network read cannot exhaust the memory.
ENCODINGS = "gzip, deflate"
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A response: body, kind (None if to be detected), declared encoding, and URL after redirects."""

    data: bytes
    kind: FileKind | None
    charset: str | None
    url: str


def read_page(url: str, *, sandbox: Sandbox, limits: ReadLimits) -> Content:
    """Return the content of one web page.

    Raises:
        SourceError: the URL is refused, or the page cannot be read or exceeds a limit.
    """
    page = fetch_page(url, limits)
    content = read_document(page.data, page.kind, sandbox=sandbox, limits=limits, charset=page.charset)
    return replace(content, metadata={"url": page.url} | content.metadata)


def fetch_page(url: str, limits: ReadLimits) -> Page:
    """Fetch a URL and follow its redirects.

    Raises:
        SourceUsageError: the URL is invalid, not http(s), has a password, or leads to a private address.
        UnreadableError: the server cannot be reached, fails, or sends no document.
        LimitError: the page is too large, too slow or redirected too often.
    """
    import httpx

    try:
        return run_to_end(_fetch(httpx.URL(url), limits))
    except TimeoutError as error:
        raise LimitError(f"took more than {limits.url_seconds} s to fetch; download it and give the file") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        # httpx raises UnicodeError for a host that IDNA cannot encode.
        raise SourceUsageError(f"is not a valid URL ({error}); check it") from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise UnreadableError(f"cannot be fetched ({reason}); check the URL and the network") from error


def run_to_end(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine and return its result; in a notebook, whose loop runs in this thread, in a thread of its own."""
    if not _has_loop():
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _fetch(url: httpx.URL, limits: ReadLimits) -> Page:
    import httpx

    client = httpx.AsyncClient(trust_env=False, follow_redirects=False, verify=httpx.create_ssl_context())
    async with asyncio.timeout(limits.url_seconds), client:
        for _ in range(MAX_REDIRECTS + 1):
            request = await pin_request(
                "GET",
                url,
                headers=HEADERS | {"Accept-Encoding": ENCODINGS},
                allow_private=limits.allow_private_hosts,
                seconds=limits.url_seconds,
            )
            response = await client.send(request, stream=True)
            try:
                if response.has_redirect_location:
                    url = url.join(response.headers["Location"])
                    continue
                return await _read_response(response, url, limits)
            finally:
                await response.aclose()
    raise LimitError(f"redirects more than {MAX_REDIRECTS} times; give the last URL")


async def pin_request(
    method: str,
    url: httpx.URL,
    *,
    headers: Mapping[str, str],
    allow_private: bool,
    seconds: float,
    content: bytes | None = None,
) -> httpx.Request:
    """Return a request to the checked address of a URL, with the URL's host as Host header and SNI.

    Args:
        method: HTTP method.
        url: URL of http or https.
        headers: further headers.
        allow_private: accept addresses that are not public.
        seconds: time to connect, and between two reads.
        content: body.

    Raises:
        SourceUsageError: the URL is invalid, or leads to an address that is not public.
        UnreadableError: its host has no address.
    """
    import httpx

    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise SourceUsageError(f"leads to {url.scheme or 'no scheme'}://, not to http:// or https://; give such a URL")
    if url.userinfo:
        raise SourceUsageError("carries a user name or password; give one without")
    port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    if not 0 < port <= MAX_PORT:
        raise SourceUsageError(f"leads to port {port}, and there are 1 to {MAX_PORT}; check the URL")
    address = await resolve_host(url.host, port, allow_private=allow_private)
    # TLS verifies the certificate against the host name, although the connection goes to the address.
    extensions = {"sni_hostname": url.raw_host.decode("ascii"), "timeout": httpx.Timeout(seconds).as_dict()}
    return httpx.Request(
        method,
        url.copy_with(host=address),
        headers={**headers, "Host": url.netloc.decode("ascii")},
        content=content,
        extensions=extensions,
    )


async def _read_response(response: httpx.Response, url: httpx.URL, limits: ReadLimits) -> Page:
    if response.status_code != 200:
        raise UnreadableError(f"gives HTTP status {response.status_code} {response.reason_phrase}; check the URL")
    if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", "gzip", "deflate"}:
        raise UnreadableError("is sent in a compression that was not asked for; download it and give the file")
    kind = _find_media_kind(response.headers)
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > limits.page_bytes:
            allowed = format_bytes(limits.page_bytes)
            raise LimitError(f"is larger than the {allowed} allowed for a page; download it and give the file")
    return Page(bytes(data), kind, response.charset_encoding, str(url))


def _find_media_kind(headers: Mapping[str, str]) -> FileKind | None:
    """Return the kind by the Content-Type header, None if it is to be detected.

    Raises:
        UnreadableError: the media type is not a document's.
    """
    media_type = headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type in MEDIA_TYPES:
        return MEDIA_TYPES[media_type]
    is_text = media_type.startswith("text/") and media_type != "text/csv"
    if is_text or media_type in {"", "application/octet-stream"}:
        return None
    raise UnreadableError(f"is of type {media_type}, which is no page to summarize; download it and give the file")
