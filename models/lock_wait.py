"""Limit on the wait for a row lock in statements that write several steps at once.

Such a statement holds the locks that it has while it waits for the next one, so one locked row, of a transaction that
a frozen process left open, would stop all of its steps. Two such statements could also wait for each other.
"""

from __future__ import annotations

# Sets the limit until the end of the transaction; stands in a CTE that is read before any row is locked.
LIMIT_LOCK_WAIT = "set_config('lock_timeout', :lock_wait, true)"
# Longer than the transactions of other workers, shorter than Postgres waits before it looks for a deadlock (1 s).
GROUP_WAIT = "200ms"
NO_LIMIT = "0"


def limit_lock_wait(steps: int) -> str:
    """Return the limit of a statement that writes so many steps; one alone waits for as long as it takes."""
    return GROUP_WAIT if steps > 1 else NO_LIMIT
