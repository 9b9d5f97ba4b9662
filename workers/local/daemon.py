"""supervisord that ends when nothing is left to supervise: ``python -m workers.local.daemon --configuration FILE``.

supervisord itself goes on for ever with programs that no start can help.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from supervisor import events, supervisord
from supervisor.datatypes import RestartWhenExitUnexpected
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates


class Daemon(supervisord.Supervisor):  # type: ignore[misc]  # supervisor has no types
    """Ends itself once every program has ended with the code that says that another start is of no use."""

    is_deserted = False

    def runforever(self) -> None:
        """Serve until a signal, or until nothing is left."""
        events.subscribe(events.ProcessStateExitedEvent, self._look_around)
        super().runforever()

    def _look_around(self, event: events.ProcessStateExitedEvent) -> None:
        processes = [process for group in self.process_groups.values() for process in group.processes.values()]
        if all(_has_ended_for_good(process) for process in processes):
            self.is_deserted = True
            self.options.mood = SupervisorStates.SHUTDOWN


def _has_ended_for_good(process: Subprocess) -> bool:
    is_final = (
        process.config.autorestart is RestartWhenExitUnexpected and process.exitstatus in process.config.exitcodes
    )
    return is_final and process.state == ProcessStates.EXITED


def main() -> int:
    """Run supervisord in the foreground; 1 if it ended because nothing was left."""
    options = ServerOptions()
    options.realize()
    options.first, options.test = True, False
    daemon = Daemon(options)
    # How supervisord's loop ends.
    with suppress(ExitNow):
        daemon.main()
    options.close_httpservers()
    options.close_logger()
    if daemon.is_deserted:
        print("gistmill: error: no worker process is left; each has said above why it cannot serve", file=sys.stderr)
    return int(daemon.is_deserted)


if __name__ == "__main__":
    sys.exit(main())
