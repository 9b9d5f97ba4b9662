"""Worker processes of this machine: one per visible GPU, or one per served name on the CPU.

Weights that are spread over several GPUs have one process on all of them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from models.settings import DEFAULT_NAME, Settings
from workers.broker.app import NODE_VARIABLE
from workers.errors import FINAL_CODE, DeviceError
from workers.local.supervisor import Program

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
    *,
    names: Sequence[str] = (),
    is_automatic: bool,
    environment: Mapping[str, str] | None = None,
) -> list[Program]:
    """Return one program per GPU, pinned by the GPU's UUID, or one per name on the CPU and for spread weights.

    Args:
        settings: settings of this machine.
        gpus: GPUs to use; empty for the CPU.
        names: names of the weights to serve, with the GPUs assigned in turn; by default the settings' own name.
        is_automatic: start the programs together with the supervisor.
        environment: environment variables of every process.

    Raises:
        DeviceError: there are more names than GPUs, and no setting limits the memory of each.
    """
    names = tuple(dict.fromkeys(names)) or (settings.weights_name,)
    if gpus and len(names) > len(gpus) and settings.kv_cache_gb is None:
        raise DeviceError(
            f"{len(names)} names need as many GPUs and there are {len(gpus)}; serve fewer here, or set "
            "GISTMILL_KV_CACHE_GB so that several fit one GPU"
        )
    assigned = deal_gpus(gpus, len(names), is_spread=settings.device_map == "auto")
    return [
        Program(
            name=node,
            command=[sys.executable, "-m", "workers"],
            stop_seconds=int(settings.drain_seconds) + STOP_GRACE_SECONDS,
            environment={
                **(environment or {}),
                **pin,
                NODE_VARIABLE: f"{node}@{socket.gethostname()}",
                "GISTMILL_WEIGHTS_NAME": name,
                "GISTMILL_METRICS_PORT": str(settings.metrics_port and settings.metrics_port + place),
            },
            is_automatic=is_automatic,
            final_code=FINAL_CODE,
        )
        for place, (devices, name) in enumerate(zip(assigned, cycle(names), strict=False))
        for node, pin in [_pin(devices, name)]
    ]


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
