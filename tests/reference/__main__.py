"""Writes docs/configuration.md, docs/cli.md, docs/weights.md and the settings of .env.example.

``python -m tests.reference`` writes them (``make docs``). With ``--check`` it writes nothing, names the files that
differ from the code, and ends with code 1 if there are any (``make lint``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests.reference.architectures import render_architectures
from tests.reference.commands import render_commands
from tests.reference.settings import render_environment, render_settings

ROOT = Path(__file__).parents[2]
COMMAND = "make docs"

# Each renderer gets the file's present text, of which .env.example keeps a part.
PAGES: dict[str, Callable[[str], str]] = {
    "docs/configuration.md": lambda _present: render_settings(),
    "docs/cli.md": lambda _present: render_commands(),
    "docs/weights.md": lambda _present: render_architectures(),
    ".env.example": render_environment,
}


def find_stale() -> dict[Path, str]:
    """Return the files that differ from the code, with the text that they should have."""
    stale = {}
    for name, render in PAGES.items():
        path = ROOT / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        text = render(present)
        if text != present:
            stale[path] = text
    return stale


def main() -> int:
    """Write the pages, or name those that are stale."""
    stale = find_stale()
    is_check = "--check" in sys.argv[1:]
    for path, text in stale.items():
        name = path.relative_to(ROOT)
        if is_check:
            print(f"{name} differs from the code; run: {COMMAND}", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if is_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
