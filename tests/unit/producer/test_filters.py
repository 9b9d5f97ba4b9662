from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models.errors import SettingsError
from models.listing import JobFilter
from models.lookup import Target
from producer.filters import make_filter


def test_names_may_be_one_or_several() -> None:
    target = Target(UUID(int=1), "b", UUID(int=2))

    made = make_filter(target, {"status": "failed", "strategy": ["stuff", "refine"], "weights": ("a",), "limit": 3})

    assert made == JobFilter(
        batch_id=UUID(int=1),
        job_id=UUID(int=2),
        states=("failed",),
        strategies=("stuff", "refine"),
        weights=("a",),
        limit=3,
    )
    assert make_filter(None, {}) == JobFilter()


@pytest.mark.parametrize("since", ["2d", timedelta(days=2)])
def test_a_moment_may_be_an_age(since: str | timedelta) -> None:
    before = datetime.now().astimezone()

    found = make_filter(None, {"since": since}).since

    assert found is not None
    assert before <= found + timedelta(days=2) <= datetime.now().astimezone()


def test_a_moment_without_a_zone_is_one_of_the_local_zone() -> None:
    noon = datetime(2026, 11, 22, 12)

    assert make_filter(None, {"since": noon}).since == noon.astimezone()
    assert make_filter(None, {"since": noon.astimezone(UTC)}).since == noon.astimezone()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"status": "done"}, "status 'done' is not one of queued, running"),
        ({"strategy": ["stuf"]}, "strategy 'stuf' is not one of auto, stuff"),
        ({"since": "soon"}, "'soon' is no moment; give 2026-11-22"),
        ({"limit": 0}, "limit must be 1 or more, not 0"),
        ({"state": "failed"}, "there is no filter 'state'; give status, strategy"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_filter(None, given)
