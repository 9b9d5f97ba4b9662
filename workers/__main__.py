"""Entry point of a worker process: ``python -m workers``."""

from __future__ import annotations

import sys

from workers.importing import import_without_gc


def main() -> int:
    """Serve until a signal; report a failed start in one sentence and return its exit code."""
    with import_without_gc():
        from models.errors import GistmillError
        from models.settings import read_settings
        from workers.broker.app import default_node, make_default_app, run_worker
        from workers.errors import choose_end_code
    try:
        run_worker(make_default_app(read_settings()), node=default_node())
    except GistmillError as error:
        print(f"gistmill: error: {error}", file=sys.stderr)
        return choose_end_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
