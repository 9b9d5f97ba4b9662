from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from producer.wording import count, describe_verdicts, format_seconds, parse_since

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.44, "0.4 s"), (12, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert format_seconds(seconds) == words


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("90min", NOW - timedelta(minutes=90)),
        ("45s", NOW - timedelta(seconds=45)),
        ("12h", NOW - timedelta(hours=12)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-20T08:30+00:00", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_or_an_age(given: str, meant: datetime) -> None:
    assert parse_since(given, NOW) == meant


@pytest.mark.parametrize("given", ["", "yesterday", "3", "d", "-3d", "99999999999d", "999999d", "²d"])
def test_anything_else_is_no_moment(given: str) -> None:
    with pytest.raises(ValueError):
        parse_since(given, NOW)


def test_numbers_agree_with_their_nouns() -> None:
    assert (count(1, "job"), count(2000, "job"), count(2, "retry", "retries")) == ("1 job", "2,000 jobs", "2 retries")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((31, 14, 2), "31 sentences verified, 14 quoted, 2 flagged"),
        ((0, 1, 0), "1 sentence quoted"),
        ((1200, 0, 3), "1,200 sentences verified, 3 flagged"),
        ((None, None, None), ""),
        ((0, 0, 0), ""),
    ],
)
def test_sentences_are_counted_by_verdict(numbers: tuple[int | None, int | None, int | None], words: str) -> None:
    assert describe_verdicts(*numbers) == words
