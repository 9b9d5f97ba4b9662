"""Dates of a text by their parts, so that notations compare as equal and a year lies within its decade or range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MONTH = (
    r"(?P<month>(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?|january|february|march|april|may|june|july|"
    r"august|september|october|november|december)"
)
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:\s?[-–—/&]\s?(?P<until>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?)?"  # noqa: RUF001
_YEAR = r"(?P<year>1[5-9]\d\d|20\d\d)"

# Tried in this order at every place of the text.
_PATTERNS = (
    rf"{_DAY}(?:\s+of)?[\s-]+{_MONTH}(?:(?:\s*,\s*|[\s-]+){_YEAR}\b)?",
    rf"{_MONTH}\.?\s*{_DAY}(?!\d|[.:%]\d|%|,\d{{3}}\b(?!\d))(?:(?:\s*,\s*|\s+){_YEAR}\b)?",
    rf"{_MONTH}\.?,?(?:\s+of)?\s+{_YEAR}\b",
    rf"{_YEAR}-(?P<number>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])\b",
    r"(?P<day>0?[1-9]|[12]\d|3[01])[/.](?P<number>0?[1-9]|1[0-2])[/.](?P<year>1[5-9]\d\d|20\d\d)\b",
    r"(?P<number>0?[1-9]|1[0-2])/(?P<day>0?[1-9]|[12]\d|3[01])/(?P<year>1[5-9]\d\d|20\d\d)\b",
    rf"{_YEAR}(?:\s?[-–—/]\s?|\s+(?:to|until|through)\s+)(?P<end>(?:1[5-9]|20)?\d\d)\b(?![-–—/.,]\d)",  # noqa: RUF001
    r"(?P<decade>(?:1[5-9]|20)\d0)['’]?s\b",  # noqa: RUF001
    r"['’‘](?P<decade>\d0)['’]?s\b",  # noqa: RUF001
    rf"{_YEAR}\b(?![.:/%]\d|,\d|%)",
    r"(?P<weekday>(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?\b",
    rf"{_MONTH}\b",
)
_DATES = tuple(re.compile(rf"(?<![\w.,$£€/:-])(?:{pattern})", re.IGNORECASE) for pattern in _PATTERNS)
_SHORT_WEEKDAY = re.compile(r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\b\.?")
_BARE_MONTHS = re.compile(r"may|march|mar|jan|jun|dec|sep|apr|nov|oct|feb|jul|aug", re.IGNORECASE)
_BETWEEN = re.compile(
    r"\b(?:between|from)\s+(1[5-9]\d\d|20\d\d)\s+(?:and|to|until|through)\s+(1[5-9]\d\d|20\d\d)\b", re.IGNORECASE
)
_HINT = re.compile(r"\d{4}|day|\d0s|mon|tue|wed|thu|fri|sat|sun|" + "|".join(MONTHS), re.IGNORECASE)

# A month alone is a verb or a word of another kind unless one of these stands before it.
_MONTH_HINTS = re.compile(
    r"\b(?:in|into|of|since|through|until|till|by|during|last|next|this|early|late|mid|from|to|and)[\s-]+$",
    re.IGNORECASE,
)

# Nouns counted by a number of four digits: then it is no year.
_COUNTED = re.compile(
    r"\s+(?:people|words|tokens|steps|epochs|samples|images|dollars|pounds|euros|miles|men|women|children|"
    r"meters|metres|kilometers|feet|times|jobs|homes|troops|soldiers|members|fans|votes)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Date:
    """Date or a part of one.

    Args:
        start: offset of the first character.
        end: offset after the last character.
        years: first and last year; None without a year.
        month: from 1 to 12; None without a month.
        days: days of the month, the first and the last; None without a day.
        weekday: from 0 for Monday to 6; None without a weekday.
    """

    start: int
    end: int
    years: tuple[int, int] | None = None
    month: int | None = None
    days: tuple[int, int] | None = None
    weekday: int | None = None

    @property
    def is_year(self) -> bool:
        """Whether the date is one year alone."""
        return self.years is not None and self.years[0] == self.years[1] and self.month is None

    def agrees_with(self, other: Date) -> bool:
        """Tell whether the other date has every part of this one, or leaves its year open."""
        if self.weekday is not None:
            return self.weekday == other.weekday
        has_years = (
            self.years is None or (other.years is None and self.month is not None) or _overlap(self.years, other.years)
        )
        has_days = self.days is None or _overlap(self.days, other.days)
        return has_years and has_days and self.month in (None, other.month)


def _overlap(some: tuple[int, int], others: tuple[int, int] | None) -> bool:
    return others is not None and some[0] <= others[1] and others[0] <= some[1]


def find_dates(text: str) -> tuple[Date, ...]:
    """Return the dates of a text, in order and without overlaps."""
    if not _HINT.search(text):
        return ()
    found: list[Date] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(end <= date.start or date.end <= start for date in found) and _is_date(text, match):
                found.append(_read_date(match))
    found += [
        Date(*match.span(), weekday=WEEKDAYS.index(match[1][:3].lower()))
        for match in _SHORT_WEEKDAY.finditer(text)
        if all(match.end() <= date.start or date.end <= match.start() for date in found)
    ]
    return tuple(sorted(found, key=lambda date: date.start))


def find_ranges(text: str) -> Iterator[Date]:
    """Yield the ranges of years that are written in words."""
    for match in _BETWEEN.finditer(text):
        yield Date(*match.span(), years=(int(match[1]), int(match[2])))


def _is_date(text: str, match: re.Match[str]) -> bool:
    parts = match.groupdict()
    if set(_list_given(parts)) == {"month"} and _BARE_MONTHS.fullmatch(match[0].rstrip(".")):
        return match[0][0].isupper() and _MONTH_HINTS.search(text, 0, match.start()) is not None
    if set(_list_given(parts)) == {"year"}:
        return _COUNTED.match(text, match.end()) is None
    return True


def _list_given(parts: dict[str, str | None]) -> Iterable[str]:
    return (name for name, value in parts.items() if value is not None)


def _read_date(match: re.Match[str]) -> Date:
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    month = int(parts["number"]) if "number" in parts else None
    if "month" in parts:
        month = MONTHS.index(parts["month"][:3].lower()) + 1
    days = None
    if "day" in parts:
        first, last = sorted((int(parts["day"]), int(parts.get("until", parts["day"]))))
        days = first, last
    weekday = WEEKDAYS.index(parts["weekday"][:3].lower()) if "weekday" in parts else None
    return Date(*match.span(), years=_read_years(parts), month=month, days=days, weekday=weekday)


def _read_years(parts: dict[str, str]) -> tuple[int, int] | None:
    if "decade" in parts:
        decade = int(parts["decade"])
        first = decade if decade >= 100 else 1900 + decade
        return first, first + 9
    if "year" not in parts:
        return None
    first = int(parts["year"])
    end = parts.get("end", parts["year"])
    last = int(end) if len(end) == 4 else first - first % 100 + int(end)
    return first, max(first, last)
