"""Summaries with human judgements of their truth, as QAGS published them (Wang, Cho, Lewis, ACL 2020)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

# The data sets by name: their file, and the Pearson correlation that the paper reports for QAGS.
FILES = {"cnndm": ("qags_mturk_cnndm.jsonl", 0.545), "xsum": ("qags_mturk_xsum.jsonl", 0.175)}


@dataclass(frozen=True, slots=True)
class Judged:
    """A summary and what people said of it.

    Args:
        dataset: name of the data set.
        source: the article.
        summary: the summary, one sentence a line.
        judgement: share of its sentences that a majority found consistent.
    """

    dataset: str
    source: str
    summary: str
    judgement: float


def read_judgements(folder: Path) -> list[Judged]:
    """Return the summaries of all data sets."""
    return [
        _read_item(name, json.loads(line))
        for name, (file, _) in FILES.items()
        for line in (folder / file).read_text(encoding="utf-8").splitlines()
    ]


def _read_item(dataset: str, row: dict[str, list[dict[str, list[dict[str, str]]]]]) -> Judged:
    sentences = row["summary_sentences"]
    votes = [[answer["response"] == "yes" for answer in sentence["responses"]] for sentence in sentences]
    return Judged(
        dataset=dataset,
        source=str(row["article"]),
        summary="\n".join(str(sentence["sentence"]) for sentence in sentences),
        judgement=fmean(sum(vote) * 2 > len(vote) for vote in votes),
    )
