"""supervisord as a class that shuts down with its last program.

Supervisor documents its configuration and its XML-RPC methods, not its Python API. This module has all undocumented
names in use; check a new version against this table:

supervisor.supervisord
    Supervisor.main  runs the daemon; reads ``first`` and ``test`` of the options, set by supervisord's entry point
    Supervisor.options  options and state
    Supervisor.process_groups  supervised programs
    Supervisor.runforever  main loop
supervisor.options
    ServerOptions.close_httpservers  clean-up
    ServerOptions.close_logger  clean-up
    ServerOptions.mood  target state of the daemon
    ServerOptions.realize  reads the command line and the configuration
    ProcessConfig.autorestart  restart policy of a program
    ProcessConfig.exitcodes  expected exit codes
supervisor.process
    Subprocess.config  configuration of a program
    Subprocess.exitstatus  last exit code
    Subprocess.state  see ProcessStates
supervisor.events
    ProcessStateExitedEvent  exit of a program that had started
    subscribe  registers a callback
supervisor.datatypes
    RestartWhenExitUnexpected  autorestart=unexpected
supervisor.medusa.asyncore_25
    ExitNow  ends the main loop
supervisor.states
    ProcessStates.EXITED  state of a program that has exited after its start
    SupervisorStates.SHUTDOWN  state of a daemon that shuts down
supervisor.xmlrpc
    SupervisorTransport  XML-RPC over a Unix socket
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
    """supervisord that shuts down once every program has exited with its final code."""

    has_no_programs = False

    def runforever(self) -> None:
        """Serve until a signal, or until the last program has exited permanently."""
        events.subscribe(events.ProcessStateExitedEvent, self._shut_down_after_last)
        super().runforever()

    def _shut_down_after_last(self, event: events.ProcessStateExitedEvent) -> None:
        processes = [process for group in self.process_groups.values() for process in group.processes.values()]
        if all(_has_exited_permanently(process) for process in processes):
            self.has_no_programs = True
            self.options.mood = SupervisorStates.SHUTDOWN


def _has_exited_permanently(process: Subprocess) -> bool:
    is_final = (
        process.config.autorestart is RestartWhenExitUnexpected and process.exitstatus in process.config.exitcodes
    )
    return is_final and process.state == ProcessStates.EXITED


def run_daemon() -> bool:
    """Run supervisord in the foreground by its command line; return whether it ended for lack of programs."""
    options = ServerOptions()
    options.realize()
    options.first, options.test = True, False
    daemon = Daemon(options)
    # supervisord's loop ends with this exception.
    with suppress(ExitNow):
        daemon.main()
    options.close_httpservers()
    options.close_logger()
    return daemon.has_no_programs
