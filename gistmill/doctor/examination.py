"""Examination of everything in order: settings, servers, ports, engine, weights, machine, optional parts."""

from __future__ import annotations

from collections.abc import Iterator

from gistmill.doctor.diagnosis import Diagnosis, approve, remark, report
from gistmill.doctor.engine_servers import examine_engine
from gistmill.doctor.machine import examine_disk, examine_gpus, examine_memory
from gistmill.doctor.parts import examine_parts, examine_weights, has_server, has_worker
from gistmill.doctor.ports import examine_flower_port, examine_http_port
from gistmill.doctor.servers import Servers
from models.errors import SettingsError
from models.setting_names import describe_unknown, list_names
from models.settings import TRANSFORMERS, read_settings


def examine() -> Iterator[Diagnosis]:
    """Yield the condition of every subject, each as soon as it is known."""
    unknown = list(describe_unknown(list_names()))
    try:
        settings = read_settings()
    except SettingsError as error:
        yield report("settings", str(error))
        return
    if unknown:
        yield remark("settings", "; ".join(unknown))
    else:
        yield approve("settings", "every GISTMILL_ name is known, and its value is valid")
    servers = Servers(settings)
    yield from servers.examine()
    if not servers.are_named:
        yield from examine_flower_port(settings)
    if has_server():
        yield from examine_http_port(settings)
    if has_worker():
        yield from examine_engine(settings)
        if settings.engine == TRANSFORMERS:
            yield from examine_gpus()
            yield from examine_weights(settings)
            yield from examine_memory(settings, is_running=servers.has_workers_here)
    yield from examine_disk(settings)
    yield from examine_parts()
