"""Check rate: the share of the sentences written by some weights that passed their check, over their latest jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, text

# Fewer sentences say nothing of the weights: the rate of their metadata counts until then.
MIN_SENTENCES = 50

# Latest jobs that are counted: enough for a stable share, few enough to be cheap.
MAX_JOBS = 100

# Seconds for which a rate is kept.
KEPT_SECONDS = 60

# A generated sentence that failed its check is stored as the quotation in its place. Outputs that no weights made have
# no fingerprint, and sentences without a check are no evidence.
CHECK_RATE = """
SELECT count(*) FILTER (WHERE sentence ->> 'kind' = 'verified'), count(*)
FROM (
    SELECT id FROM jobs
    WHERE weights = :weights AND finished_at IS NOT NULL
    ORDER BY finished_at DESC
    LIMIT :max_jobs
) AS latest
JOIN steps ON steps.job_id = latest.id AND steps.id BETWEEN first_step_id(latest.id) AND last_step_id(latest.id)
CROSS JOIN jsonb_array_elements(steps.sentences) AS sentence
WHERE steps.weights_fingerprint IS NOT NULL
  AND (CAST(:fingerprint AS text) IS NULL OR steps.weights_fingerprint = :fingerprint)
  AND steps.cached_from IS NULL
  AND sentence ->> 'kind' IN ('verified', 'quoted', 'flagged')
"""
_CHECK_RATE = text(CHECK_RATE)


def measure_check_rate(connection: Connection, weights: str, *, fingerprint: str | None) -> float | None:
    """Return the check rate of weights; None with too few sentences.

    Args:
        connection: to the results database.
        weights: name that the jobs ask for.
        fingerprint: of the weights served under it; None for all that were.
    """
    values = {"weights": weights, "fingerprint": fingerprint, "max_jobs": MAX_JOBS}
    passed, total = connection.execute(_CHECK_RATE, values).one()
    return passed / total if total >= MIN_SENTENCES else None


class RateCache:
    """Rates by name of weights, each measured again after a minute; thread-safe.

    Args:
        measure: returns the rate of the named weights.
    """

    def __init__(self, measure: Callable[[str], float | None]) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._rates: dict[str, tuple[float, float | None]] = {}

    def find(self, weights: str) -> float | None:
        """Return the rate of the named weights."""
        with self._lock:
            measured_at, rate = self._rates.get(weights, (-KEPT_SECONDS, None))
            if time.monotonic() - measured_at >= KEPT_SECONDS:
                rate = self._measure(weights)
                self._rates[weights] = (time.monotonic(), rate)
            return rate
