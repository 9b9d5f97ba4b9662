"""Work that no request waits for: chat batches go from status to status, webhooks are delivered, old keys deleted.

Webhooks have a thread of their own, because a receiver may be slow. All of it begins with what the rows say, so that
nothing is lost with the server, and several servers at once do nothing twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

LOGGER = logging.getLogger("gistmill.http")
# Seconds between two rounds.
INTERVAL = 1.0

Chore = Callable[[], None]


class Housekeeping:
    """Thread that runs chores round after round.

    Args:
        chores: each does what there is to do now; an error is logged, and the next round tries again.
        stopping: ends the thread after the chore that it is at.
    """

    def __init__(self, chores: Sequence[Chore], *, stopping: threading.Event) -> None:
        self._chores = chores
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            for chore in self._chores:
                if self._stopping.is_set():
                    return
                try:
                    chore()
                except Exception as error:  # noqa: BLE001 - the edge of a thread without which batches never end
                    LOGGER.warning("housekeeping is postponed: %s", str(error).partition("\n")[0])
