"""supervisord as a class: it ends itself when nothing is left to supervise.

Supervisor documents its configuration and its XML-RPC methods, not its Python. Names of it that are used all the same,
all of them here; a new version is checked against this table:

supervisor.supervisord
    Supervisor.main  runs it; reads first and test of the options, which supervisord's own entry point sets as we do
    Supervisor.options  its state is there
    Supervisor.process_groups  what it supervises
    Supervisor.runforever  its loop
supervisor.options
    ServerOptions.close_httpservers  at the end
    ServerOptions.close_logger  at the end
    ServerOptions.mood  the state that it goes to
    ServerOptions.realize  reads the command line and the configuration
    ProcessConfig.autorestart  after which codes a program is started again
    ProcessConfig.exitcodes  codes that were expected
supervisor.process
    Subprocess.config  of one program
    Subprocess.exitstatus  its last code
    Subprocess.state  see ProcessStates
supervisor.events
    ProcessStateExitedEvent  a program has ended after it had started
    subscribe  to events
supervisor.datatypes
    RestartWhenExitUnexpected  autorestart=unexpected
supervisor.medusa.asyncore_25
    ExitNow  ends its loop
supervisor.states
    ProcessStates.EXITED  ended after it had started
    SupervisorStates.SHUTDOWN  about to end
supervisor.xmlrpc
    SupervisorTransport  XML-RPC over a socket file
"""

from __future__ import annotations

from contextlib import suppress

from supervisor import events, supervisord
from supervisor.datatypes import RestartWhenExitUnexpected
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.xmlrpc import SupervisorTransport

__all__ = ["SupervisorTransport", "run_daemon"]


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


def run_daemon() -> bool:
    """Run supervisord in the foreground, by the command line; return whether it ended because nothing was left."""
    options = ServerOptions()
    options.realize()
    options.first, options.test = True, False
    daemon = Daemon(options)
    # How supervisord's loop ends.
    with suppress(ExitNow):
        daemon.main()
    options.close_httpservers()
    options.close_logger()
    return daemon.is_deserted
