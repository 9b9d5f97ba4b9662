"""Summaries that people judged, from every file of a folder, by the layout of its lines.

- As QAGS published them (Wang, Cho, Lewis, ACL 2020): an ``article`` and ``summary_sentences`` with three answers each.
- With spans of unsupported text (RAGTruth: Niu et al., ACL 2024): a ``source`` and ``summaries``, each with ``text`` and
  ``spans``, offsets in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

# Words of a file's name that are no part of its data set's.
COMMON_WORDS = {"qags", "mturk", "summaries", "dev", "test", "train", "heldout", "half"}


@dataclass(frozen=True, slots=True)
class JudgedSummary:
    """A summary and the share of its sentences that a majority found consistent."""

    source: str
    summary: str
    judgement: float


@dataclass(frozen=True, slots=True)
class MarkedSummary:
    """A summary and the spans (start, end) that people found unsupported."""

    source: str
    summary: str
    spans: tuple[tuple[int, int], ...]

    def is_unsupported(self, start: int, end: int) -> bool:
        """Tell whether a marked span overlaps a span of the summary."""
        return any(first < end and start < last for first, last in self.spans)


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A file of judged summaries; one of the two lists is empty."""

    name: str
    judged: list[JudgedSummary]
    marked: list[MarkedSummary]


def read_judged_files(folder: Path) -> list[JudgedFile]:
    """Return every file of a folder whose first line has one of the layouts."""
    files = (_read_file(path) for path in sorted(folder.glob("*.jsonl")))
    return [file for file in files if file is not None]


def _read_file(path: Path) -> JudgedFile | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0]) if lines else {}
    rows = (json.loads(line) for line in lines if line.strip())
    if {"article", "summary_sentences"} <= first.keys():
        return JudgedFile(name_data_set(path), [_read_judged(row) for row in rows], [])
    if {"source", "summaries"} <= first.keys():
        return JudgedFile(name_data_set(path), [], [summary for row in rows for summary in _read_marked(row)])
    return None


def name_data_set(path: Path) -> str:
    """Return the data set's part of a file name: ``cnndm`` of ``qags_mturk_cnndm.jsonl``."""
    words = [word for word in re.split(r"[_\-.]", path.stem) if word not in COMMON_WORDS]
    return "_".join(words) or path.stem


def _read_judged(row: dict[str, Any]) -> JudgedSummary:
    votes = [[answer["response"] == "yes" for answer in sentence["responses"]] for sentence in row["summary_sentences"]]
    return JudgedSummary(
        source=row["article"],
        summary="\n".join(sentence["sentence"] for sentence in row["summary_sentences"]),
        judgement=fmean(sum(vote) * 2 > len(vote) for vote in votes),
    )


def _read_marked(row: dict[str, Any]) -> Iterator[MarkedSummary]:
    for summary in row["summaries"]:
        spans = tuple((span["start"], span["end"]) for span in summary["spans"])
        yield MarkedSummary(row["source"], summary["text"], spans)
