"""Examination of the machine: GPUs with their driver, free memory for the weights, free disk, Flower's port."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gistmill.doctor.diagnosis import Diagnosis, approve, remark, report
from gistmill.doctor.weight_files import find_local_weights, measure_bytes
from models.settings import PACKAGED, Settings

GB = 1e9
# Memory of a worker besides its weights on a CPU: libraries, verifier, KV cache and activations.
WORKER_BYTES = 3.2 * GB
# Bytes of the packaged weights as they are converted, and while they are.
CONVERTED_BYTES = 1.1 * GB
# Disk below which a database may stop in the middle of a batch.
MIN_DISK_BYTES = 0.5 * GB
GPU_SECONDS = 20


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """Memory of a GPU in MiB."""

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Disk of the data folder, in bytes.

    Args:
        folder: the data folder.
        existing: the folder itself, or the nearest one above it that exists.
        free: free for this user.
        needed: needed for a start.
    """

    folder: Path
    existing: Path
    free: float
    needed: float


def examine_gpus() -> Iterator[Diagnosis]:
    """Yield the condition of the GPUs and of what drives them."""
    if shutil.which("nvidia-smi") is None:
        yield approve("GPU", "no NVIDIA driver is here, so the CPU computes")
        return
    found = list_gpu_memory()
    if isinstance(found, str):
        yield report("GPU", f"the NVIDIA driver does not answer: {found}", "install it again, or restart the machine")
    elif not found:
        yield remark("GPU", "the NVIDIA driver finds none, so the CPU computes")
    else:
        shown = ", ".join(f"{gpu.name} ({gpu.free / 1024:.1f} of {gpu.total / 1024:.1f} GiB free)" for gpu in found)
        yield approve("GPU", shown)
        if find_version("torch").endswith("+cpu"):
            yield report("GPU", "PyTorch is installed for the CPU alone", "install the torch of PyPI in its place")


def list_gpu_memory() -> list[GpuMemory] | str:
    """Return the GPUs, or the driver's error."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=GPU_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return " ".join((done.stderr or done.stdout).split()) or f"nvidia-smi ended with code {done.returncode}"
    rows = [line.rsplit(",", 2) for line in done.stdout.splitlines() if line.strip()]
    return [GpuMemory(name.strip(), int(total), int(free)) for name, total, free in rows]


def find_version(package: str) -> str:
    """Return the version of an installed package, "" without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def examine_memory(settings: Settings, *, is_running: bool) -> Iterator[Diagnosis]:
    """Yield whether the weights fit the memory that is free; a worker that runs here has its part already.

    Args:
        settings: of this process.
        is_running: whether a worker of this cluster runs on this machine.
    """
    gpus = list_gpu_memory() if shutil.which("nvidia-smi") else []
    device = "cuda" if isinstance(gpus, list) and gpus else "cpu"
    folder = find_local_weights(settings)
    needed = measure_bytes(settings, folder, device=device)
    if device == "cuda" and isinstance(gpus, list):
        room = sum(gpu.total for gpu in gpus) if settings.device_map == "auto" else min(gpu.total for gpu in gpus)
        if needed is not None:
            yield compare_gpu_memory(needed, room * 2**20)
        return
    free = find_free_memory()
    if free is None:
        return
    words = f"{free / GB:.1f} GB are free"
    if is_running:
        yield approve("memory", f"{words}, beside the worker that runs here")
    elif needed is None:
        yield remark("memory", f"{words}; what the weights need is known when they are here")
    else:
        yield compare_memory(needed, free, words)


def compare_gpu_memory(needed: float, room: float) -> Diagnosis:
    """Return whether weights fit the memory of a GPU."""
    words = f"the weights take {needed / GB:.1f} GB of a GPU's {room / GB:.1f} GB"
    if needed > room:
        return report(
            "GPU memory", words, "set GISTMILL_QUANTIZATION=nf4 or GISTMILL_DEVICE_MAP=auto, or smaller weights"
        )
    return approve("GPU memory", words)


def compare_memory(needed: float, free: float, words: str) -> Diagnosis:
    """Return whether a worker with its weights fits the free memory of a CPU's machine."""
    whole = needed + WORKER_BYTES
    shown = f"{words}; the weights take {needed / GB:.1f} GB, a worker with them about {whole / GB:.1f} GB"
    advice = "free some memory, set GISTMILL_QUANTIZATION=int8, or use smaller weights"
    if needed > free:
        return report("memory", shown, advice)
    if whole > free:
        return remark("memory", shown, advice)
    return approve("memory", shown)


def find_free_memory() -> int | None:
    """Return the bytes that this process may still use, within the limit of its container; None off Linux."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return limit if free is None else min(free, limit)


def measure_disk(settings: Settings) -> DiskRoom:
    """Return the disk that the data folder needs to begin with, and what is free there."""
    folder = settings.home.expanduser()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    is_converted = (folder / "weights" / "gemma-3-270m" / "gistmill.json").is_file()
    needed = MIN_DISK_BYTES + (0 if settings.weights != PACKAGED or is_converted else CONVERTED_BYTES)
    return DiskRoom(folder, there, shutil.disk_usage(there).free, needed)


def examine_disk(settings: Settings) -> Iterator[Diagnosis]:
    """Yield whether the data folder can be written to and has room."""
    room = measure_disk(settings)
    words = f"{room.free / GB:.1f} GB are free for {room.folder}"
    advice = "set GISTMILL_HOME to a folder with more room"
    try:
        probe = room.existing / ".gistmill-doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield report(
            "disk", f"{room.existing} cannot be written to ({error.strerror})", "set GISTMILL_HOME to another folder"
        )
        return
    if room.free < room.needed:
        yield report("disk", f"{words}, and {room.needed / GB:.1f} GB are needed", advice)
    else:
        yield approve("disk", words)
