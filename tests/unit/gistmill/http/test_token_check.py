"""Tests of the check of the server's token, and of the limit on guesses of it."""

from __future__ import annotations

import pytest

from gistmill.http import token_check
from gistmill.http.errors import RequestError
from gistmill.http.token_check import FREE_GUESSES, SECONDS_PER_GUESS, TokenCheck, find_address

TOKEN = "a token of some length"


class Clock:
    """Clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(clock: Clock) -> TokenCheck:
    return TokenCheck(TOKEN, clock=clock)


def guess(check: TokenCheck, times: int, address: str = "192.0.2.1") -> None:
    for number in range(times):
        assert not check.is_token(f"wrong {number}", address)


def test_an_address_that_was_wrong_often_waits_with_the_right_token_too(check: TokenCheck, clock: Clock) -> None:
    guess(check, FREE_GUESSES)

    for given in ("wrong", TOKEN):
        with pytest.raises(RequestError, match="try again in 10 s") as refused:
            check.is_token(given, "192.0.2.1")
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "10"})
    clock.now += SECONDS_PER_GUESS
    assert check.is_token(TOKEN, "192.0.2.1")


def test_other_addresses_and_sessions_do_not_wait(check: TokenCheck) -> None:
    guess(check, FREE_GUESSES)

    assert check.is_token(TOKEN, "192.0.2.2")
    assert check.is_session(check.session)
    assert not check.is_session(TOKEN)


def test_one_guess_is_forgotten_at_a_time(check: TokenCheck, clock: Clock) -> None:
    guess(check, FREE_GUESSES)
    clock.now += SECONDS_PER_GUESS
    guess(check, 1)

    with pytest.raises(RequestError):
        check.is_token(TOKEN, "192.0.2.1")
    clock.now += FREE_GUESSES * SECONDS_PER_GUESS
    guess(check, FREE_GUESSES)


def test_few_addresses_are_remembered(check: TokenCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_check, "MAX_ADDRESSES", 2)
    guess(check, FREE_GUESSES, "192.0.2.1")
    guess(check, FREE_GUESSES, "192.0.2.2")
    guess(check, 1, "192.0.2.3")

    assert check.is_token(TOKEN, "192.0.2.1")
    with pytest.raises(RequestError):
        check.is_token(TOKEN, "192.0.2.2")


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1234), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("testclient", 1), "testclient"),
        (None, ""),
    ],
)
def test_an_address_of_ipv6_stands_for_its_network(client: tuple[str, int] | None, address: str) -> None:
    assert find_address({"type": "http", "client": client}) == address
