"""Convert the packaged weights, with a progress bar on a terminal: ``python -m gistmill.cli.prepare``."""

from __future__ import annotations

import sys

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from models.errors import FullDiskError
from models.settings import read_settings
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.weights.errors import WeightsError
from workers.weights.packaged import is_converted, packaged_folder

TITLE = "converting the packaged weights, once"


def main() -> int:
    """Convert the packaged weights into the data folder, unless that was done before."""
    folder = packaged_folder(read_settings())
    if is_converted(folder):
        return 0
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn())
    is_terminal = sys.stdout.isatty()
    if not is_terminal:
        print(f"{TITLE}: this may take some minutes", flush=True)
    try:
        with Progress(*columns, disable=not is_terminal) as progress:
            task = progress.add_task(TITLE, total=1.0)
            ensure_packaged_weights(
                folder, report=lambda stage, part: progress.update(task, description=stage, completed=part)
            )
    except (FullDiskError, WeightsError) as error:
        print(f"gistmill: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The parent process is interrupted too, and prints the message.
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
