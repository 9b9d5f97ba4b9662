"""Source-summary pairs from a user's files: read, cleaned, counted, hashed, split.

Unusable rows are counted and reported; the hash identifies the training data exactly.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.finetuning.errors import TooFewPairsError, TrainingSettingsError

# Reads the texts and summaries of tables; given by the caller, because the reader of tables is the producer's.
RowReader = Callable[[Sequence[Path]], Iterable[tuple[str | None, str | None]]]
# Minimum for a split into a training and a held-out part.
MIN_PAIRS = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """Source text and its target summary."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class PairSet:
    """Usable pairs of one or more files.

    Args:
        pairs: usable pairs in file order.
        empty_sources: number of rows skipped for an empty source.
        empty_targets: number of rows skipped for an empty summary.
        duplicates: number of rows skipped as repeated pairs.
    """

    pairs: tuple[Pair, ...]
    empty_sources: int = 0
    empty_targets: int = 0
    duplicates: int = 0

    @property
    def data_hash(self) -> str:
        """SHA-256 over all pairs in order."""
        digest = hashlib.sha256()
        for pair in self.pairs:
            digest.update(f"{pair.source}\x1f{pair.target}\x1e".encode())
        return digest.hexdigest()

    def split(self, held_out: int, *, seed: int) -> tuple[list[Pair], list[Pair]]:
        """Return training and held-out pairs, shuffled reproducibly by the seed.

        Raises:
            TooFewPairsError: the held-out part would leave less than half for training.
        """
        if len(self.pairs) < MIN_PAIRS or 2 * held_out > len(self.pairs):
            raise TooFewPairsError(
                f"{len(self.pairs)} usable pairs cannot give {held_out} held-out ones: "
                f"bring at least {max(MIN_PAIRS, 2 * held_out)} pairs or lower the held-out number"
            )
        shuffled = list(self.pairs)
        random.Random(seed).shuffle(shuffled)  # noqa: S311 - a reproducible order, not a secret
        return shuffled[held_out:], shuffled[:held_out]


def read_pairs(paths: Sequence[Path], *, read_rows: RowReader, approved: Sequence[tuple[str, str]] = ()) -> PairSet:
    """Read pairs from tables.

    Args:
        paths: the tables.
        read_rows: reads the texts and summaries of tables.
        approved: approved texts and summaries, appended to those of the files.

    Raises:
        TrainingSettingsError: there is neither a file nor an approved pair.
        DataUnreadableError: a file is missing, of an unknown kind or broken, or lacks a column.
        TooFewPairsError: no usable pair is left.
    """
    if not paths and not approved:
        raise TrainingSettingsError("no data file given: name at least one .csv, .jsonl or .parquet file")
    pairs = clean_pairs([*read_rows(paths), *approved])
    if not pairs.pairs:
        raise TooFewPairsError(
            f"no usable pair in {', '.join(str(path) for path in paths)}: {pairs.empty_sources} empty sources, "
            f"{pairs.empty_targets} empty targets; name the right columns"
        )
    return pairs


def clean_pairs(rows: Iterable[tuple[str | None, str | None]]) -> PairSet:
    """Normalize rows of (source, target) and count the unusable ones."""
    pairs: dict[Pair, None] = {}
    empty_sources = empty_targets = duplicates = 0
    for source, target in rows:
        pair = Pair(source=(source or "").strip(), target=tidy_target(target or ""))
        if not pair.target:
            empty_targets += 1
        elif not pair.source:
            empty_sources += 1
        elif pair in pairs:
            duplicates += 1
        else:
            pairs[pair] = None
    return PairSet(tuple(pairs), empty_sources, empty_targets, duplicates)


def tidy_target(text: str) -> str:
    """Join a summary's lines into one paragraph and remove spaces before punctuation ("ends ." to "ends.")."""
    return re.sub(r" ([.,!?;])(?=\s|$)", r"\1", " ".join(text.split()))
