"""Durations in words."""

from __future__ import annotations

# From here on minutes, then hours, say enough.
MOST_SECONDS, MOST_MINUTES = 90, 90


def describe_seconds(seconds: float) -> str:
    """Return a duration to the precision that an estimate has."""
    if seconds < MOST_SECONDS:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < MOST_MINUTES else f"{minutes // 60} h {minutes % 60:02d} min"
