"""Filters of jobs as users name them, on the command line and in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

from models.choices import STRATEGIES, JobState
from models.errors import SettingsError
from models.listing import JobFilter
from models.lookup import Target
from producer.wording import parse_since


class FilterOptions(TypedDict, total=False):
    """Conditions on jobs; ``since`` is a moment, an age, or either as the command line writes it."""

    status: str | Iterable[str]
    strategy: str | Iterable[str]
    weights: str | Iterable[str]
    since: datetime | timedelta | str | None
    needs_review: bool
    flagged: bool
    marked: bool
    limit: int | None


def make_filter(target: Target | None, given: Mapping[str, Any]) -> JobFilter:
    """Return the filter of jobs for a batch or job, or for all batches without one.

    Args:
        target: batch or job.
        given: values of ``FilterOptions``.

    Raises:
        SettingsError: a value is invalid.
    """
    for name in given.keys() - FilterOptions.__annotations__.keys():
        raise SettingsError(f"there is no filter {name!r}; give {', '.join(FilterOptions.__annotations__)}")
    limit = given.get("limit")
    if limit is not None and limit < 1:
        raise SettingsError(f"limit must be 1 or more, not {limit}")
    return JobFilter(
        batch_id=target.batch_id if target else None,
        job_id=target.job_id if target else None,
        states=_list_names("status", given.get("status", ()), [state.value for state in JobState]),
        strategies=_list_names("strategy", given.get("strategy", ()), STRATEGIES),
        weights=_list_names("weights", given.get("weights", ()), None),
        since=None if given.get("since") is None else find_moment(given["since"]),
        needs_review=bool(given.get("needs_review")),
        flagged=bool(given.get("flagged")),
        marked=bool(given.get("marked")),
        limit=limit,
    )


def _list_names(option: str, given: str | Iterable[str], known: Iterable[str] | None) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if known is not None and name not in known:
            raise SettingsError(f"{option} {name!r} is not one of {', '.join(known)}")
    return names


def find_moment(since: datetime | timedelta | str) -> datetime:
    """Return a moment, given as such, as an age, or as the command line writes either.

    Raises:
        SettingsError: the text is no moment.
    """
    now = datetime.now().astimezone()
    if isinstance(since, timedelta):
        return now - since
    if isinstance(since, datetime):
        return since if since.tzinfo else since.astimezone()
    try:
        return parse_since(since, now)
    except ValueError:
        raise SettingsError(
            f"{since!r} is no moment; give 2026-11-22, 2026-11-22T18:30 or an age such as 90min, 12h, 3d"
        ) from None
