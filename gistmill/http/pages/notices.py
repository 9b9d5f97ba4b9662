"""Notices: what a form has done, in one sentence on the page that comes after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import RedirectResponse

from producer.wording import count

# The address holds the kind of a notice and a number alone, so that a link can make a page say nothing else.
NOTICE = re.compile(r"([a-z]+)-(\d{1,9})")
Notice = Annotated[str, Query(max_length=40)]

WORDS: Mapping[str, Callable[[int], str]] = {
    "stopped": lambda number: f"{count(number, 'document')} stopped." if number else "Nothing was open.",
    "restarted": lambda number: f"{count(number, 'document')} started again." if number else "Nothing to run again.",
    "approved": lambda number: "Approved." if number else "Only a whole summary can be approved.",
    "revoked": lambda number: "The approval is taken back." if number else "It was not approved.",
    "submitted": lambda number: f"{count(number, 'new document')}." if number else "All of it was here before.",
}


def redirect_with_notice(path: str, kind: str, number: int) -> RedirectResponse:
    """Return the way to a page that says what has been done."""
    return RedirectResponse(f"{path}?{urlencode({'notice': f'{kind}-{number}'})}", 303)


def describe_notice(notice: str) -> str:
    """Return the sentence of a notice; "" for one that is unknown."""
    found = NOTICE.fullmatch(notice)
    words = WORDS.get(found[1]) if found else None
    return words(int(found[2])) if found and words else ""
