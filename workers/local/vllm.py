"""Command line of a vLLM server, from the settings of a worker and the weights of the names that it serves."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.session import open_transaction
from models.settings import Settings
from workers.errors import ServingError
from workers.serving import find_folders
from workers.weights.errors import WeightsError
from workers.weights.registration import resolve_name

HOST = "127.0.0.1"
MODULE = "vllm.entrypoints.openai.api_server"
# Version that the command line is for; the requests need 0.11 or newer.
PACKAGE = "vllm==0.32.0"
# Name of the base weights if only their adapters are asked for.
BASE_NAME = "base"
# Ranks that vLLM has kernels for.
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# Part of a GPU's memory for the server; the rest is for the verifier of each worker.
MEMORY_SHARE = "0.85"
QUANTIZATION_OPTIONS = {
    "auto": (),
    "none": (),
    "bf16": ("--dtype", "bfloat16"),
    "half": ("--dtype", "float16"),
    "nf4": ("--quantization", "bitsandbytes"),
    "fp8": ("--quantization", "fp8"),
}


@dataclass(frozen=True, slots=True)
class ServedName:
    """Name that a server answers to.

    Args:
        name: of the weights.
        weights: folder of the base.
        adapter: folder of the adapter; None for the base itself.
    """

    name: str
    weights: Path
    adapter: Path | None


def find_served(settings: Settings, names: Sequence[str]) -> list[ServedName]:
    """Return the folders behind names; download hub ids that are not cached.

    Raises:
        ServingError: there are no such weights, or the names have different bases.
        UnknownIdError: a name is not registered.
    """
    with open_transaction(settings.require_database_url()) as session:
        resolved = [resolve_name(settings.model_copy(update={"weights_name": name}), session) for name in names]
    try:
        served = [ServedName(found.weights_name, *find_folders(found)) for found in resolved]
    except WeightsError as error:
        raise ServingError(str(error)) from error
    first = served[0]
    for other in served[1:]:
        if other.weights.resolve() != first.weights.resolve():
            raise ServingError(
                f"{first.name} and {other.name} have different base weights, and one vLLM server has one; "
                "run a `gistmill worker` for each, with --gpus of its own"
            )
    return served


def build_command(settings: Settings, served: Sequence[ServedName], *, port: int, gpus: int) -> list[str]:
    """Return the command line of a server.

    Args:
        settings: of the workers.
        served: names with the same base weights.
        port: of this machine.
        gpus: number of GPUs of the server; 0 for the CPU.

    Raises:
        ServingError: vLLM has no such quantization or adapters, or its further options are no command line.
    """
    bases = [one.name for one in served if one.adapter is None] or [BASE_NAME]
    context = "auto" if settings.context_tokens is None else str(settings.context_tokens)
    return [
        str(find_python(settings)),
        *("-m", MODULE, "--model", str(served[0].weights), "--served-model-name", *bases),
        *("--host", HOST, "--port", str(port), "--disable-uvicorn-access-log"),
        # Every name has a worker with as many slots.
        *("--max-num-seqs", str(settings.slots * len(served)), "--max-model-len", context),
        *(("--tensor-parallel-size", str(gpus)) if gpus > 1 else ()),
        *build_memory_options(settings, gpus),
        *build_type_options(settings),
        *build_lora_options([one for one in served if one.adapter is not None], gpus),
        *split_options(settings.vllm_options),
    ]


def split_options(options: str) -> list[str]:
    """Return the words of further options, split as a shell does.

    Raises:
        ServingError: a quotation is not closed.
    """
    try:
        return shlex.split(options)
    except ValueError as error:
        raise ServingError(
            f"GISTMILL_VLLM_OPTIONS cannot be split into words: {str(error).lower()} in {options!r}; close it"
        ) from None


def find_python(settings: Settings) -> Path:
    """Return the Python that has vLLM."""
    return settings.vllm or Path(sys.executable)


def build_memory_options(settings: Settings, gpus: int) -> list[str]:
    """Return the options for the KV cache; on a CPU it is an environment variable (``choose_environment``)."""
    if not gpus:
        return []
    if settings.kv_cache_gb is None:
        return ["--gpu-memory-utilization", MEMORY_SHARE]
    return ["--kv-cache-memory-bytes", str(int(settings.kv_cache_gb * 2**30 / gpus))]


def choose_environment(settings: Settings, gpus: int) -> dict[str, str]:
    """Return the environment variables of a server, besides those of its launcher."""
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if settings.kv_cache_gb is None or gpus:
        return quiet
    return quiet | {"VLLM_CPU_KVCACHE_SPACE": str(max(round(settings.kv_cache_gb), 1))}


def build_type_options(settings: Settings) -> list[str]:
    """Return the options for dtype and quantization.

    Raises:
        ServingError: vLLM has no such quantization.
    """
    options = QUANTIZATION_OPTIONS.get(settings.quantization)
    if options is None:
        raise ServingError(
            f"vLLM does not quantize to {settings.quantization}; set GISTMILL_QUANTIZATION to fp8, nf4 or none"
        )
    return [*options] if "--dtype" in options else [*options, "--dtype", settings.dtype]


def build_lora_options(served: Sequence[ServedName], gpus: int) -> list[str]:
    """Return the options that register adapters under their names.

    On a CPU vLLM applies the last place for adapters to the requests without one that share a batch with others, so an
    empty place follows, which changes nothing.

    Raises:
        ServingError: an adapter has a higher rank than vLLM has.
    """
    if not served:
        return []
    ranks = {one.name: read_rank(one.adapter) for one in served if one.adapter is not None}
    name = max(ranks, key=lambda name: ranks[name])
    fitting = [rank for rank in LORA_RANKS if rank >= ranks[name]]
    if not fitting:
        raise ServingError(
            f"the adapter of {name} has rank {ranks[name]}, and vLLM takes {LORA_RANKS[-1]} at most; merge it: "
            "gistmill weights merge"
        )
    modules = [json.dumps({"name": one.name, "path": str(one.adapter)}) for one in served]
    places = len(served) + (0 if gpus else 1)
    sizes = ("--max-loras", str(places), "--max-lora-rank", str(fitting[0]))
    return ["--enable-lora", *sizes, "--lora-modules", *modules]


def read_rank(adapter: Path) -> int:
    """Return the highest rank of an adapter's layers.

    Raises:
        ServingError: its configuration is broken.
    """
    path = adapter / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return max(int(rank) for rank in (config["r"], *(config.get("rank_pattern") or {}).values()))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise ServingError(f"{path} cannot be read ({error!r}); save the adapter again") from error


def check_vllm(settings: Settings) -> None:
    """Check that there is a vLLM to start, before anything else is started.

    Raises:
        ServingError: there is none; the message says how to get it.
    """
    python = find_python(settings)
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        has_vllm = subprocess.run([python, "-c", look], check=False, capture_output=True).returncode == 0
    except OSError as error:
        raise ServingError(
            f"GISTMILL_VLLM={python} cannot be run ({error.strerror}); name a Python with vLLM"
        ) from error
    if not has_vllm:
        raise ServingError(
            f"{python} has no vLLM; install it in an environment of its own (python -m venv /opt/vllm && "
            f"/opt/vllm/bin/pip install {PACKAGE}) and set GISTMILL_VLLM=/opt/vllm/bin/python"
        )
