"""supervisord that ends when nothing is left to supervise: ``python -m workers.local.daemon --configuration FILE``.

supervisord itself goes on for ever with programs that no start can help.
"""

from __future__ import annotations

import sys

from workers.local.compat_supervisor import run_daemon


def main() -> int:
    """Run supervisord in the foreground; 1 if it ended because nothing was left."""
    is_deserted = run_daemon()
    if is_deserted:
        print("gistmill: error: no worker process is left; each has said above why it cannot serve", file=sys.stderr)
    return int(is_deserted)


if __name__ == "__main__":
    sys.exit(main())
