"""Supervisor daemon that exits with its last program: ``python -m workers.local.daemon --configuration FILE``.

Plain supervisord keeps running after every program has exited permanently.
"""

from __future__ import annotations

import sys

from workers.local.compat_supervisor import run_daemon


def main() -> int:
    """Run supervisord in the foreground; return 1 if no program was left, 0 after a signal."""
    has_no_programs = run_daemon()
    if has_no_programs:
        print("gistmill: error: no worker process is left; each has said above why it cannot serve", file=sys.stderr)
    return int(has_no_programs)


if __name__ == "__main__":
    sys.exit(main())
