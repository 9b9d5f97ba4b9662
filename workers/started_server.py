"""Engine server that a launcher has started for worker processes of this machine: a file on which both agree.

The launcher writes why the server cannot start, and a worker that waits for it ends with that reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.errors import ServingError

# Path of the file, in the environment of the launcher and of its workers.
FILE_VARIABLE = "GISTMILL_ENGINE_FILE"


@dataclass(frozen=True, slots=True)
class StartedServer:
    """Server that a launcher has started.

    Args:
        path: the file.
    """

    path: Path

    def read(self) -> dict[str, Any]:
        """Return the content of the file; {} without one."""
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return content

    def write(self, **content: object) -> None:
        """Replace the content of the file."""
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(content))
        part.replace(self.path)

    def check_failure(self) -> None:
        """Do nothing while the server may still start.

        Raises:
            ServingError: no restart would help it.
        """
        error = self.read().get("error")
        if error:
            raise ServingError(str(error))


def find_started_server(environment: Mapping[str, str] = os.environ) -> StartedServer | None:
    """Return the server that was started for this process; None if there is none."""
    path = environment.get(FILE_VARIABLE)
    return StartedServer(Path(path)) if path else None
