"""Limit on the wait for a row lock in statements that others wait for.

A statement that writes several steps holds the locks that it has while it waits for the next one, and further steps
wait for it, so one locked row, of a transaction that a frozen process left open, would stop all steps of a worker. Two
such statements could also wait for each other.
"""

from __future__ import annotations

# Sets the limit until the end of the transaction; stands in a CTE that is read before any row is locked.
LIMIT_LOCK_WAIT = "set_config('lock_timeout', :lock_wait, true)"
# Longer than the transactions of other workers, shorter than Postgres waits before it looks for a deadlock (1 s).
GROUP_WAIT = "200ms"
NO_LIMIT = "0"
