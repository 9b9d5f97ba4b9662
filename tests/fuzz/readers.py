"""Sends mutated documents through every reader and tells what became of them.

``python -m tests.fuzz.readers --inputs 10000 --seed 1``: no exception may come out, no document may take longer than
its bound, and each that cannot be read gets one clear sentence. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from producer.sources import ReadEvent, ReadLimits, Source, SourceDuplicate, SourceProblem, read_sources
from producer.sources.kinds import SUFFIXES
from tests.fuzz.mutations import SEEDS, mutate

# Files of one folder, read by one call and one sandbox, as a user reads a folder.
FOLDER_FILES = 250
# The bounds that a hostile document meets here: seconds, and bytes of the child's memory.
LIMITS = ReadLimits(conversion_seconds=20, conversion_bytes=1024 * 1024 * 1024)
MAX_MESSAGE = 600
# What the message says when a bound of the sandbox has ended a conversion.
BOUNDS = {"crashed the": "parser died", "took more than": "too slow", "of memory to": "too big"}


@dataclass(slots=True)
class Findings:
    """What reading gave, by kind of outcome, and whatever breaks a promise."""

    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    slowest: float = 0.0
    inputs: int = 0


def fuzz(inputs: int, seed: int, findings: Findings) -> Findings:
    """Read that many mutated documents; the same seed makes the same documents."""
    chance = random.Random(seed)
    for first in range(0, inputs, FOLDER_FILES):
        with tempfile.TemporaryDirectory() as folder:
            names = _write_files(Path(folder), range(first, min(first + FOLDER_FILES, inputs)), chance)
            _read_folder(folder, names, findings)
            findings.inputs += len(names)
    return findings


def _write_files(folder: Path, numbers: Iterable[int], chance: random.Random) -> set[str]:
    names = set()
    for number in numbers:
        suffix = sorted(SEEDS)[number % len(SEEDS)]
        name = f"{number:06}{suffix}"
        (folder / name).write_bytes(mutate(suffix, chance))
        names.add(name)
    return names


def _read_folder(folder: str, names: set[str], findings: Findings) -> None:
    silent = set(names)
    then = time.monotonic()
    for event in read_sources([folder], text_column="text", limits=LIMITS):
        now = time.monotonic()
        findings.slowest, then = max(findings.slowest, now - then), now
        findings.violations += judge(event)
        findings.outcomes[_name_outcome(event)] += 1
        silent -= {event.name.split("#")[0]}
    # A table may hold no row; every other document gives a text or says why not.
    tables = {suffix for suffix, kind in SUFFIXES.items() if kind.is_table}
    findings.violations += [f"{name} is passed over in silence" for name in silent if Path(name).suffix not in tables]


def judge(event: ReadEvent) -> list[str]:
    """Return what is wrong with an event."""
    if isinstance(event, Source):
        texts = (event.name, event.text, event.title, *event.metadata, *event.metadata.values())
        is_storable = all("\0" not in text and _is_utf8(text) for text in texts)
        return [] if event.text.strip() and is_storable else [f"{event.name} gives a text that cannot be stored"]
    if isinstance(event, SourceProblem):
        message = event.message
        is_clear = message.endswith(".") and "\n" not in message and len(message) <= MAX_MESSAGE
        return [] if is_clear and message.startswith(event.name) else [f"not a clear sentence: {message!r}"]
    return []


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_outcome(event: ReadEvent) -> str:
    if isinstance(event, SourceProblem):
        return next((outcome for words, outcome in BOUNDS.items() if words in event.message), "clear error")
    return "duplicate" if isinstance(event, SourceDuplicate) else "read" if isinstance(event, Source) else "note"


def main() -> int:
    """Fuzz by the command line's numbers and print the findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    findings = fuzz(given.inputs, given.seed, Findings())
    for violation in findings.violations[:20]:
        print(violation)
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    figures = {
        "inputs": findings.inputs,
        "seed": given.seed,
        "violations": len(findings.violations),
        "outcomes": dict(sorted(findings.outcomes.items())),
        "seconds": round(time.monotonic() - started, 1),
        "slowest_seconds": round(findings.slowest, 1),
        "peak_mb": round(peaks[0]),
        "child_peak_mb": round(peaks[1]),
    }
    print(json.dumps(figures))
    return 1 if findings.violations else 0


if __name__ == "__main__":
    sys.exit(main())
