"""Supervisor daemon that exits with its last program: ``python -m workers.local.daemon --configuration FILE``.

Plain supervisord keeps running after every program has exited permanently.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from workers.local.compat_supervisor import run_daemon

# Last word of the command line: the folder of the configuration is removed at the end, with the files of the programs.
REMOVE_FOLDER = "--remove-folder"


def main() -> int:
    """Run supervisord in the foreground; return 1 if no program was left, 0 after a signal."""
    removes_folder = sys.argv[-1] == REMOVE_FOLDER
    if removes_folder:
        # supervisord reads the rest.
        sys.argv.pop()
    try:
        has_no_programs = run_daemon()
    finally:
        if removes_folder:
            shutil.rmtree(Path(sys.argv[-1]).parent, ignore_errors=True)
    if has_no_programs:
        print("gistmill: error: no worker process is left; each has said above why it cannot serve", file=sys.stderr)
    return int(has_no_programs)


if __name__ == "__main__":
    sys.exit(main())
