"""Memory and disk that a cluster on this machine needs, compared with what is free before anything is started."""

from __future__ import annotations

from collections.abc import Iterator

from gistmill.doctor.machine import GB, WORKER_BYTES, find_free_memory, list_gpu_memory, measure_disk
from gistmill.doctor.weight_files import find_local_weights, measure_bytes
from models.settings import TRANSFORMERS, Settings
from workers.errors import ShortageError

# Memory of Postgres, Valkey, Flower, the HTTP server and `gistmill up` itself, 0.35 GB as measured.
SERVERS_BYTES = 0.4 * GB


def check_room(settings: Settings, *, has_gpus: bool, workers: int) -> None:
    """Refuse to start a cluster that this machine has too little memory or disk for.

    Args:
        settings: of this machine.
        has_gpus: whether GPUs compute, and not the CPU.
        workers: number of worker processes.

    Raises:
        ShortageError: with one sentence about everything that is short.
    """
    short = [*find_disk_shortage(settings), *find_memory_shortage(settings, has_gpus=has_gpus, workers=workers)]
    if short:
        raise ShortageError(f"{'; '.join(short)}; `gistmill up --force` starts all the same")


def find_disk_shortage(settings: Settings) -> Iterator[str]:
    """Yield what is short of disk."""
    room = measure_disk(settings)
    if room.free < room.needed:
        yield (
            f"{room.folder} needs {room.needed / GB:.1f} GB of disk and {room.free / GB:.1f} GB are free: "
            "make room, or set GISTMILL_HOME to another folder"
        )


def find_memory_shortage(settings: Settings, *, has_gpus: bool, workers: int) -> Iterator[str]:
    """Yield what is short of memory: of the GPU with the least, or of the machine if its CPU computes."""
    if settings.engine != TRANSFORMERS:
        return  # a server has the weights
    weights = measure_bytes(settings, find_local_weights(settings), device="cuda" if has_gpus else "cpu")
    if weights is None:
        return
    if has_gpus:
        yield from _find_gpu_shortage(settings, weights)
        return
    free, needed = find_free_memory(), workers * (weights + WORKER_BYTES) + SERVERS_BYTES
    if free is not None and free < needed:
        worker = f"{weights / GB:.1f} GB of weights and {WORKER_BYTES / GB:.1f} GB beside them"
        parts = f"{workers} x {worker}, {SERVERS_BYTES / GB:.1f} GB for the servers"
        yield (
            f"the cluster needs about {needed / GB:.1f} GB of memory ({parts}) and {free / GB:.1f} GB are free: "
            "free some, serve fewer weights, or smaller ones"
        )


def _find_gpu_shortage(settings: Settings, weights: float) -> Iterator[str]:
    gpus = list_gpu_memory()
    if isinstance(gpus, str) or not gpus:
        return
    free = (sum if settings.device_map == "auto" else min)(gpu.free for gpu in gpus) * 2**20
    if free < weights:
        yield (
            f"the weights need {weights / GB:.1f} GB of GPU memory and {free / GB:.1f} GB are free: "
            "set GISTMILL_QUANTIZATION=nf4 or GISTMILL_DEVICE_MAP=auto, or name smaller weights"
        )
