"""Filter for the addresses of URLs: only public ones, as protection against server-side request forgery."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from producer.errors import SourceUsageError, UnreadableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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
