"""Pairs of a text and its summary that a tiny Gemma can learn from."""

from __future__ import annotations

import csv
from pathlib import Path

COUNCILS = ("council", "team", "network", "engineers")
DEEDS = ("closed both bridges", "measured the piers", "trained eight folds", "scored 0.898")


def write_pairs(path: Path, count: int) -> Path:
    """Write pairs whose summary is a sentence of the text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "article", "highlights"])
        for number in range(count):
            deed = f"The {COUNCILS[number % 4]} {DEEDS[number // 4 % 4]}."
            writer.writerow([number, f"{deed} The river rose by {number} metres in two days.", deed])
    return path
