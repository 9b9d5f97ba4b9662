"""Examination of the ports of Flower and of the HTTP server: free, the server's own, or taken by another program."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from gistmill.doctor.diagnosis import Diagnosis, approve, remark
from models.serve_address import HEALTH, HEALTH_PATH, describe_http_url
from models.settings import Settings

SUBJECT = "HTTP server"
# Seconds for the program at the port to answer.
ANSWER_SECONDS = 3


def examine_flower_port(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a remark if another program has the port that Flower is to have."""
    if not settings.flower_port:
        return
    reason = find_obstacle("127.0.0.1", settings.flower_port)
    if reason is not None:
        taken = f"port {settings.flower_port} cannot be had ({reason}), so `gistmill up` takes another"
        yield remark("Flower", taken, "set GISTMILL_FLOWER_PORT to choose it")


def examine_http_port(settings: Settings) -> Iterator[Diagnosis]:
    """Yield whether ``gistmill serve`` answers at its address, or could listen there."""
    if not settings.serve_port:
        return
    url = describe_http_url(settings, settings.serve_port)
    reason = find_obstacle(settings.serve_host, settings.serve_port)
    if reason is None:
        yield approve(SUBJECT, f"{url} is free for `gistmill serve`")
    elif is_ours(url):
        yield approve(SUBJECT, f"`gistmill serve` answers at {url}")
    else:
        words = f"port {settings.serve_port} of {settings.serve_host} cannot be had ({reason}) for `gistmill serve`"
        yield remark(SUBJECT, words, "set GISTMILL_SERVE_PORT, or GISTMILL_SERVE_HOST, to choose another")


def find_obstacle(host: str, port: int) -> str | None:
    """Return why an address cannot be listened on; None if it can."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # As the servers do: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def is_ours(url: str) -> bool:
    """Return whether the program that answers at an address is the HTTP server of Gistmill."""
    import httpx

    try:
        # Not through a proxy of the environment, which does not know this machine's ports.
        answer = httpx.get(f"{url}{HEALTH_PATH}", timeout=ANSWER_SECONDS, trust_env=False)
        return bool(answer.json() == HEALTH)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False
