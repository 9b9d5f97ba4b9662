"""Formatting of numbers, durations and times for people."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

# Formats of an export; producer.export has their writers.
EXPORT_FORMATS = ("csv", "jsonl", "parquet", "markdown")
# All but tab and line feed: escape sequences of a document could control the terminal.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """Replace control characters in a text, except tab and line feed."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_line(text: str) -> str:
    """Return a text as one line, with control characters replaced."""
    return clean_text(" ".join(text.split()))


def format_seconds(seconds: float | None) -> str:
    """Return a duration: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``; "" for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def format_moment(moment: datetime | None) -> str:
    """Return a time in the local zone; "" for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parse_since(given: str, now: datetime) -> datetime:
    """Parse ``2026-11-22``, ``2026-11-22T10:00`` or ``3d`` (s, min, h, d before ``now``).

    Raises:
        ValueError: the text has no such form, or the time is before the year 1.
    """
    try:
        return _find_moment(given, now)
    except OverflowError as error:
        raise ValueError(f"{given} is before the first year") from error


def _find_moment(given: str, now: datetime) -> datetime:
    units = {"min": "minutes", "s": "seconds", "h": "hours", "d": "days"}
    for suffix, unit in units.items():
        number = given.removesuffix(suffix)
        if number != given and number.strip().isdigit():
            return now - timedelta(**{unit: int(number)})
    moment = datetime.fromisoformat(given)
    return moment if moment.tzinfo else moment.astimezone()


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 job``, ``1,200 jobs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def describe_verdicts(verified: int | None, quoted: int | None, flagged: int | None) -> str:
    """Return the numbers of sentences by verdict: ``31 sentences verified, 14 quoted, 2 flagged``; "" without any."""
    numbers = {"verified": verified, "quoted": quoted, "flagged": flagged}
    counted = [(number, verdict) for verdict, number in numbers.items() if number]
    if not counted:
        return ""
    (number, verdict), *others = counted
    return ", ".join([f"{count(number, 'sentence')} {verdict}", *(f"{more:,} {name}" for more, name in others)])


def describe_weights(name: str, served: str | None) -> str:
    """Return weights for people: their name and, if they generated anything, base, adapter and precision."""
    return f"{name}: {served}" if served else name
