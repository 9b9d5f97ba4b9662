"""Failures of a vLLM server: the reason in one sentence, from the last lines that it wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten

from workers.errors import ServerStartError, ServingError, ShortageError, WorkerError

SMALLER = "set a smaller GISTMILL_CONTEXT_TOKENS, GISTMILL_QUANTIZATION=fp8 or nf4, or GISTMILL_DEVICE_MAP=auto"
FREE = "free some, or set --gpu-memory-utilization in GISTMILL_VLLM_OPTIONS"
# By the first that a line matches: the error, the reason, and the remedy. A restart may help a shortage alone.
FAILURES: tuple[tuple[str, type[WorkerError], str, str], ...] = (
    (r"address already in use", ServerStartError, "its port is taken", "it is started again"),
    (r"No module named .?vllm", ServingError, "its Python has no vLLM", "set GISTMILL_VLLM to one that has"),
    (
        r"unrecognized arguments|error: argument|invalid choice",
        ServingError,
        "it does not know an option",
        "correct GISTMILL_VLLM_OPTIONS, or install the version of docs/engines.md",
    ),
    (
        r"No available memory for the cache|larger than the (maximum number of tokens|available KV cache)"
        r"|KV cache is needed|not enough (KV cache|memory for)",
        ServingError,
        "too little memory is left for the KV cache",
        SMALLER,
    ),
    (r"Free memory on device|less than desired GPU memory", ShortageError, "too little GPU memory is free", FREE),
    (
        r"out of memory|OutOfMemoryError|Cannot allocate memory|MemoryError|DefaultCPUAllocator",
        ShortageError,
        "the weights do not fit the free memory",
        SMALLER,
    ),
    (
        r"architectures? .*(not supported|failed to be inspected)|not a supported model|recognize this architecture",
        ServingError,
        "vLLM cannot serve weights of this kind",
        "name others, or GISTMILL_ENGINE=transformers",
    ),
    (
        r"not supported|does not support|is not valid|ValueError|Value error|KeyError|SafetensorError|does not exist",
        ServingError,
        "vLLM cannot serve these weights with these settings",
        "correct them, or set GISTMILL_ENGINE=transformers",
    ),
)
# Exit code of a process that the kernel or a person has killed.
KILLED = -9
# Beginnings of lines that vLLM's log has before every message: process, level, time and place.
PREFIX = re.compile(r"^(\([^)]*pid=\d+\)\s*)?((INFO|WARNING|ERROR|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\]\s*)?")
# pydantic writes the reason below its error.
ERROR_LINE = re.compile(r"^\S*(Error|Exception)\b.*: |^Value error, |error: ")
DETAILS = re.compile(r" \[type=.*")
MAX_CHARACTERS = 240


def explain_failure(lines: Sequence[str], code: int) -> WorkerError:
    """Return the error of a server that ended before it served.

    Args:
        lines: the last ones that it wrote.
        code: its exit code; negative for a signal.
    """
    messages = [DETAILS.sub("", PREFIX.sub("", line)).strip() for line in lines]
    errors = [message for message in messages if ERROR_LINE.search(message)]
    for pattern, kind, reason, remedy in FAILURES:
        found = next((message for message in errors if re.search(pattern, message, re.IGNORECASE)), None)
        if found is not None:
            return kind(f"vLLM did not start: {reason} ({cut(found)}); {remedy}")
    if code == KILLED:
        return ShortageError(f"vLLM did not start: it was killed, as when memory runs out; {SMALLER}")
    last = next(reversed(errors or [message for message in messages if message]), "it wrote nothing")
    return ServerStartError(f"vLLM did not start and ended with code {code}: {cut(last)}")


def cut(message: str) -> str:
    """Return a message without the words beyond its limit."""
    return shorten(message, MAX_CHARACTERS, placeholder=" ...")
