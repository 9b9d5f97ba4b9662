"""Which addresses a URL may lead to."""

import asyncio
import ipaddress
import socket

import pytest

from producer.errors import SourceUsageError, UnreadableError
from producer.sources.pages import is_public_address, resolve_host


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "239.1.2.3", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2001:db8::1", "fec0::1", "feff::1", "192.88.99.1", "192.0.0.9", "3fff::1", "::ffff:192.88.99.1",
    ],
)  # fmt: skip
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_outer_addresses_are_public(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address))


def test_one_inner_address_among_several_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(SourceUsageError, match=r"leads to 10\.0\.0\.5"):
        asyncio.run(resolve_host("mixed.example", 80, allow_private=False))
    assert asyncio.run(resolve_host("mixed.example", 80, allow_private=True)) == "8.8.8.8"


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_disguised_loopback_addresses_are_refused(host: str) -> None:
    with pytest.raises(SourceUsageError, match=r"leads to 127\.0\.0\.1"):
        asyncio.run(resolve_host(host, 80, allow_private=False))


def test_a_name_without_an_address_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(UnreadableError, match=r"'nowhere\.example', which has no address"):
        asyncio.run(resolve_host("nowhere.example", 80, allow_private=False))
