"""Names in the environment and in ``.env`` that begin like a setting and are none, such as a mistyped one."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PREFIX = "GISTMILL_"
# Variable of Flower's process with the names of the served weights, with spaces between them.
SERVED_NAMES = f"{PREFIX}SERVED_NAMES"
ENV_FILE = Path(".env")
# A name of ours at the beginning of a line of .env.
ASSIGNMENT = re.compile(rf"^[ \t]*(?:export[ \t]+)?({PREFIX}\w+)[ \t]*=", re.M | re.I)
# Names that docker-compose.yml, launchers and tests read.
OTHERS = re.compile(
    rf"{PREFIX}(?:\w+_PASSWORD|WORKER_MEMORY|WEIGHTS_VOLUME|NODE|ENGINE_FILE|SERVED_NAMES|TEST_\w+|BENCH_\w+)"
)


def list_names() -> list[str]:
    """Return the names that begin with the prefix, of the environment and of ``.env`` in the current folder."""
    names = [name for name in os.environ if name.upper().startswith(PREFIX)]
    try:
        text = ENV_FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        # Reading the settings explains it.
        text = ""
    return list(dict.fromkeys([*names, *ASSIGNMENT.findall(text)]))


def describe_unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence about every name that is no setting, with the nearest setting."""
    names = list(names)
    if not names:
        return
    # Imported late: its libraries take longer than a command that reads no settings.
    from models.settings import Settings

    settings = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    for name in names:
        if name.upper() in settings or OTHERS.fullmatch(name.upper()):
            continue
        nearest = difflib.get_close_matches(name.upper(), settings, n=1, cutoff=0.8)
        advice = f"the nearest is {nearest[0]}" if nearest else "docs/configuration.md lists all"
        yield f"{name} is no setting and has no effect; {advice}"
