"""Claims on texts that a tiny Gemma can learn to tell apart."""

from __future__ import annotations

import json
from pathlib import Path

TRUE = ("The council closed both bridges.", "The river rose in two days.")
FALSE = ("The council measured the piers.", "The network scored the river.")


def write_claims(path: Path, count: int) -> Path:
    """Write texts with two true and two false claims each."""
    claims = [{"text": text, "is_consistent": text in TRUE, "how": "written"} for text in (*TRUE, *FALSE)]
    rows = [
        {"source": f"Day {number}. The river rose by {number} metres in two days. {TRUE[0]}", "claims": claims}
        for number in range(count)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path
