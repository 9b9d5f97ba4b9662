"""Check of the server's token, with a limit on the guesses of one address.

An address that was wrong ten times may try once in ten seconds. Until then its tokens are refused unread, the right one
too: an answer to that one would tell it apart.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from math import ceil

from starlette.types import Scope

from gistmill.http.errors import RequestError

LOGGER = logging.getLogger("gistmill.http")

# Wrong tokens in a row that cost nothing, and the seconds in which one of them is forgotten.
FREE_GUESSES, SECONDS_PER_GUESS = 10, 10
# Addresses that are remembered; beyond them the one whose last guess is the oldest is forgotten.
MAX_ADDRESSES = 10_000
# Addresses of one network of this prefix are one: a host with IPv6 has as many as it likes.
IPV6_PREFIX = 64
# Cost of the session's key, 16 MiB and about 50 ms: each guess by a cookie costs its sender as much.
SCRYPT_COST = {"n": 2**14, "r": 8, "p": 1}


class TokenCheck:
    """The token of a server, and the addresses that were wrong about it.

    Args:
        token: the token.
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, token: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._lock = threading.Lock()
        # Moment at which the guesses of each address are forgotten, in the order of the last guess.
        self._forgotten_at: dict[str, float] = {}
        self.session = hashlib.scrypt(token.encode(), salt=b"gistmill session", dklen=32, **SCRYPT_COST).hex()

    def is_token(self, given: str, address: str) -> bool:
        """Tell whether a text is the token; a wrong one counts as a guess of the address.

        Raises:
            RequestError: the address has to wait.
        """
        with self._lock:
            now = self._clock()
            owed = max(0.0, self._forgotten_at.get(address, now) - now)
            wait = ceil(owed - (FREE_GUESSES - 1) * SECONDS_PER_GUESS)
            if wait > 0:
                words = f"too many wrong tokens came from this address; try again in {wait} s"
                raise RequestError(429, words, code="too_many_wrong_tokens", headers={"Retry-After": str(wait)})
            if is_same(given, self._token):
                return True
            self._record(address, now + owed + SECONDS_PER_GUESS, now)
        if owed + SECONDS_PER_GUESS >= FREE_GUESSES * SECONDS_PER_GUESS:
            LOGGER.warning("%s has sent %d wrong tokens; it may try once in %d s. If that is a reverse proxy, set "
                           "FORWARDED_ALLOW_IPS to its address", address, FREE_GUESSES, SECONDS_PER_GUESS)  # fmt: skip
        return False

    def is_session(self, given: str) -> bool:
        """Tell whether a text is the value of the session cookie."""
        return is_same(given, self.session)

    def _record(self, address: str, forgotten_at: float, now: float) -> None:
        # Taken out first, so that the order is that of the last guess.
        self._forgotten_at.pop(address, None)
        self._forgotten_at[address] = forgotten_at
        oldest = next(iter(self._forgotten_at))
        if len(self._forgotten_at) > MAX_ADDRESSES or self._forgotten_at[oldest] <= now:
            del self._forgotten_at[oldest]


def is_same(given: str, expected: str) -> bool:
    """Compare a secret in a time that does not depend on where the two differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def find_address(scope: Scope) -> str:
    """Return the address that a request comes from, of IPv6 its network.

    The server has put the address that a trusted proxy names in ``X-Forwarded-For`` in place of the proxy's.
    """
    host: str = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
