"""Worker processes of this machine: one per visible GPU, or one per served name on the CPU.

Weights that are spread over several GPUs have one process on all of them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from models.settings import DEFAULT_NAME, VLLM, Settings
from workers.broker.app import NODE_VARIABLE
from workers.errors import FINAL_CODE, DeviceError
from workers.local.home import free_ports
from workers.local.supervisor import Program
from workers.started_server import FILE_VARIABLE

# Slots of a worker on a GPU, where more concurrent sequences cost little; the engine has fewer for lack of memory.
GPU_SLOTS = 64
# Seconds for a vLLM server to end; its workers have ended before.
SERVER_STOP_SECONDS = 30
# Seconds between the end of the drain and the kill, to release leases and free the weights.
STOP_GRACE_SECONDS = 15

# An OpenMP thread that waits for its team spins for a few microseconds, which bridges the gap between two operations,
# and then sleeps: longer spinning on cores shared with Postgres or the broker delays the thread that it waits for.
THREAD_SPIN_LIMIT = {"GOMP_SPINCOUNT": "3000"}


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPU as listed by the driver."""

    index: int
    uuid: str


def list_gpus(environment: Mapping[str, str]) -> list[Gpu]:
    """Return the GPUs that this process may use; none without an NVIDIA driver."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return []
    rows = [line.split(",") for line in done.stdout.splitlines() if line.strip()]
    gpus = [Gpu(int(index), uuid.strip()) for index, uuid in rows]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return gpus
    wanted = {name.strip() for name in visible.split(",") if name.strip()}
    return [gpu for gpu in gpus if str(gpu.index) in wanted or gpu.uuid in wanted]


def choose_gpus(gpus: Sequence[Gpu], wanted: str | None) -> list[Gpu]:
    """Return the GPUs named by ``--gpus 0,2``, or all.

    Raises:
        DeviceError: a named GPU does not exist.
    """
    if wanted is None:
        return list(gpus)
    by_index = {str(gpu.index): gpu for gpu in gpus}
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    missing = [name for name in names if name not in by_index]
    if missing or not names:
        there = ", ".join(by_index) or "none"
        raise DeviceError(f"--gpus {wanted}: no GPU {', '.join(missing)} here; there are: {there}")
    return [by_index[name] for name in names]


def plan_processes(
    settings: Settings,
    gpus: Sequence[Gpu],
    folder: Path,
    *,
    names: Sequence[str] = (),
    is_automatic: bool,
    environment: Mapping[str, str] | None = None,
) -> list[Program]:
    """Return one program per GPU, pinned by the GPU's UUID, or one per name on the CPU and for spread weights.

    Args:
        settings: settings of this machine.
        gpus: GPUs to use; empty for the CPU.
        folder: folder of the supervisor, for the files that a vLLM server and its workers share.
        names: names of the weights to serve, with the GPUs assigned in turn; by default the settings' own name.
        is_automatic: start the programs together with the supervisor.
        environment: environment variables of every process.

    Raises:
        DeviceError: there are more names than GPUs, and no setting limits the memory of each.
    """
    names = tuple(dict.fromkeys(names)) or (settings.weights_name,)
    if gpus and not settings.engine_urls and "slots" not in settings.model_fields_set:
        settings = settings.model_copy(update={"slots": GPU_SLOTS})
    environment = {**(environment or {}), "GISTMILL_SLOTS": str(settings.slots)}
    if settings.engine == VLLM:
        return plan_vllm(settings, gpus, folder, names=names, is_automatic=is_automatic, environment=environment)
    if settings.engine_urls:
        gpus = ()  # those of the servers compute
    if gpus and len(names) > len(gpus) and settings.kv_cache_gb is None:
        raise DeviceError(
            f"{len(names)} names need as many GPUs and there are {len(gpus)}; serve fewer here, or set "
            "GISTMILL_KV_CACHE_GB so that several fit one GPU"
        )
    assigned = deal_gpus(gpus, len(names), is_spread=settings.device_map == "auto")
    return [
        describe_worker(settings, devices, name, place, environment, is_automatic=is_automatic)
        for place, (devices, name) in enumerate(zip(assigned, cycle(names), strict=False))
    ]


def describe_worker(
    settings: Settings,
    gpus: Sequence[Gpu],
    name: str,
    place: int,
    environment: Mapping[str, str],
    *,
    is_automatic: bool,
) -> Program:
    """Return the program of one worker.

    Args:
        settings: settings of this machine.
        gpus: that it is pinned to; empty for the CPU.
        name: of the weights that it serves.
        place: among the workers of this machine, from 0.
        environment: further environment variables.
        is_automatic: start it together with the supervisor.
    """
    node, pin = _pin(gpus, name)
    return Program(
        name=node,
        command=[sys.executable, "-m", "workers"],
        stop_seconds=int(settings.drain_seconds) + STOP_GRACE_SECONDS,
        environment={
            **environment,
            **pin,
            NODE_VARIABLE: f"{node}@{socket.gethostname()}",
            "GISTMILL_WEIGHTS_NAME": name,
            "GISTMILL_METRICS_PORT": str(settings.metrics_port and settings.metrics_port + place),
        },
        is_automatic=is_automatic,
        final_code=FINAL_CODE,
    )


def plan_vllm(
    settings: Settings,
    gpus: Sequence[Gpu],
    folder: Path,
    *,
    names: Sequence[str],
    is_automatic: bool,
    environment: Mapping[str, str],
) -> list[Program]:
    """Return a vLLM server per GPU, or one on all of them for spread weights, each with a worker for every name.

    One server has the base and all adapters, so that one GPU serves every name. The supervisor stops programs in
    reverse, so that the workers drain before their server ends. Args are those of ``plan_processes``.
    """
    groups: list[Sequence[Gpu]] = [[gpu] for gpu in gpus] if settings.device_map == "none" else [gpus]
    groups = groups if gpus else [()]
    programs: list[Program] = []
    for number, (devices, port) in enumerate(zip(groups, free_ports(len(groups)), strict=True)):
        key = secrets.token_urlsafe(24)
        file = folder / f"vllm-{number}.json"
        # The end of an earlier server is none of this one's.
        file.unlink(missing_ok=True)
        shared = {**environment, FILE_VARIABLE: str(file)}
        secret = {**shared, "VLLM_API_KEY": key}
        programs.append(describe_server(devices, names, secret, port=port, is_automatic=is_automatic))
        attached = {**shared, "GISTMILL_ENGINE": f"http://127.0.0.1:{port}/v1", "GISTMILL_ENGINE_KEY": key}
        programs += [
            describe_worker(settings, devices, name, number * len(names) + place, attached, is_automatic=is_automatic)
            for place, name in enumerate(names)
        ]
    return programs


def describe_server(
    gpus: Sequence[Gpu], names: Sequence[str], environment: Mapping[str, str], *, port: int, is_automatic: bool
) -> Program:
    """Return the program of one vLLM server.

    Args:
        gpus: that it is pinned to; empty for the CPU.
        names: that it answers to.
        environment: further environment variables.
        port: of this machine.
        is_automatic: start it together with the supervisor.
    """
    node, pin = _pin(gpus, DEFAULT_NAME)
    options = ["--port", str(port), "--gpus", str(len(gpus)), *(word for name in names for word in ("--name", name))]
    return Program(
        name=f"vllm-{node}",
        command=[sys.executable, "-m", "workers.local.vllm_launcher", *options],
        stop_seconds=SERVER_STOP_SECONDS,
        environment={**environment, **pin},
        is_automatic=is_automatic,
        final_code=FINAL_CODE,
        is_server=True,
    )


def count_workers(settings: Settings, gpus: Sequence[Gpu], names: int) -> int:
    """Return the number of worker processes that ``plan_processes`` returns."""
    if settings.engine == VLLM:
        return (len(gpus) if gpus and settings.device_map == "none" else 1) * names
    if settings.engine_urls:
        return names
    return max(len(gpus), names)


def deal_gpus(gpus: Sequence[Gpu], names: int, *, is_spread: bool) -> list[Sequence[Gpu]]:
    """Return the GPUs of every process, none for the CPU; surplus names share a GPU.

    Args:
        gpus: GPUs of this machine.
        names: number of served names.
        is_spread: run one process per name on all of its GPUs, instead of one on each.
    """
    if not gpus:
        return [()] * names
    if is_spread and names < len(gpus):
        return [gpus[place::names] for place in range(names)]
    return [[gpus[place % len(gpus)]] for place in range(max(len(gpus), names))]


def _pin(gpus: Sequence[Gpu], name: str) -> tuple[str, dict[str, str]]:
    """Return the unique node name of a process, and the environment variables that pin it to its devices."""
    suffix = "" if name == DEFAULT_NAME else f"-{name}"
    if not gpus:
        return f"cpu0{suffix}", {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))), **THREAD_SPIN_LIMIT}
    # Such as gpu0+2, for a process on two.
    indexes = "+".join(str(gpu.index) for gpu in gpus)
    return f"gpu{indexes}{suffix}", {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus)}
