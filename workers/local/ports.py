"""Ports of a machine's programs: the usual ones, or others where another program has them."""

from __future__ import annotations

from collections.abc import Callable

from models.settings import Settings
from workers.errors import FinalStartError
from workers.health import is_free
from workers.local.home import free_ports, is_port_free

Report = Callable[[str], None]
# Ports to try for the metrics of another worker on this machine.
MAX_PORT_TRIES = 64


def choose_port(settings: Settings, setting: str, program: str, *, report: Report) -> int:
    """Return the port of a setting, or a free one if another program has the default one.

    Args:
        settings: settings of this cluster.
        setting: name of the setting.
        program: name of the program that takes the port, for people.
        report: called with a sentence about another port than the default one.

    Raises:
        FinalStartError: another program has the port that the settings name.
    """
    port = int(getattr(settings, setting))
    if port and is_port_free(port):
        return port
    if port and setting in settings.model_fields_set:
        raise FinalStartError(
            f"another program listens on port {port}; set GISTMILL_{setting.upper()} to a free one, or to 0 for any"
        )
    (free,) = free_ports(1)
    if port:
        report(f"another program listens on port {port}, so {program} takes {free}")
    return free


def choose_metrics_port(settings: Settings, *, processes: int, report: Report) -> Settings:
    """Return the settings with free ports for the metrics of workers, unless a port was set explicitly.

    Args:
        settings: settings of this machine.
        processes: number of workers, whose ports follow each other.
        report: called with a sentence about another port than the default one.
    """
    usual = settings.metrics_port
    if "metrics_port" in settings.model_fields_set:
        return settings
    for first in range(usual, usual + MAX_PORT_TRIES, processes):
        if all(is_free(settings.metrics_host, first + place) for place in range(processes)):
            break
    else:
        return settings
    if first != usual:
        report(f"another program listens on port {usual}, so the metrics of workers take {first}")
    return settings.model_copy(update={"metrics_port": first})
