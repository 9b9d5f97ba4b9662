"""Source-summary pairs from a user's files: read, cleaned, counted, hashed, split.

Unusable rows are counted and reported; the hash identifies the training data exactly.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from workers.finetuning.errors import DataUnreadableError, MissingColumnError, TooFewPairsError, TrainingSettingsError

# One JSON object must fit in a block of the reader; 64 MiB is enough for any document.
JSON_BLOCK_BYTES = 64 * 2**20
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


def read_pairs(
    paths: Sequence[Path], *, source_column: str, target_column: str, approved: Sequence[tuple[str, str]] = ()
) -> PairSet:
    """Read pairs from CSV, JSONL and Parquet files.

    Args:
        paths: the files.
        source_column: column with the texts.
        target_column: column with the summaries.
        approved: approved texts and summaries, appended to those of the files.

    Raises:
        TrainingSettingsError: there is neither a file nor an approved pair.
        DataUnreadableError: a file is missing, of an unknown kind or broken.
        MissingColumnError: a file lacks one of the columns.
        TooFewPairsError: no usable pair is left.
    """
    if not paths and not approved:
        raise TrainingSettingsError("no data file given: name at least one .csv, .jsonl or .parquet file")
    rows = [row for path in paths for row in read_rows(path, source_column=source_column, target_column=target_column)]
    pairs = clean_pairs([*rows, *approved])
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


def read_rows(path: Path, *, source_column: str, target_column: str) -> list[tuple[str | None, str | None]]:
    """Read the two columns of one file, as text.

    Raises:
        DataUnreadableError: the file is missing, of an unknown kind or broken, or a column is not text.
        MissingColumnError: the file lacks one of the columns.
    """
    columns = (source_column, target_column)
    table = read_table(path, columns)
    for column in columns:
        if column not in table.column_names:
            raise MissingColumnError(
                f"{path} has no column {column!r}; it has {', '.join(table.column_names) or 'none'}: "
                "choose with --source-column and --target-column"
            )
    sources, targets = (read_texts(table, column, path) for column in columns)
    return list(zip(sources, targets, strict=True))


def read_texts(table: pa.Table, column: str, path: Path) -> list[str | None]:
    """Return one column of a file as texts.

    Raises:
        DataUnreadableError: the column occurs twice, or is not text.
    """
    if table.column_names.count(column) > 1:
        raise DataUnreadableError(f"{path} has several columns {column!r}: rename all but one")
    try:
        texts: list[str | None] = table.column(column).cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataUnreadableError(
            f"{path}: column {column!r} holds what is no text ({describe_read_problem(error)}): "
            "convert it to text in UTF-8"
        ) from error
    return texts


def describe_read_problem(error: Exception) -> str:
    """Return the first line of a reader's message; the other lines describe the reader itself."""
    return str(error).strip().partition("\n")[0]


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read a file by its suffix, the two columns as text without type inference."""
    if not path.is_file():
        raise DataUnreadableError(f"no data file {path}: give the path of a .csv, .jsonl or .parquet file")
    schema = pa.schema([(column, pa.string()) for column in dict.fromkeys(columns)])
    try:
        match path.suffix.lower():
            case ".csv":
                return pa.csv.read_csv(
                    path,
                    parse_options=pa.csv.ParseOptions(newlines_in_values=True),
                    convert_options=pa.csv.ConvertOptions(column_types=schema),
                )
            case ".jsonl" | ".json":
                return pa.json.read_json(
                    path,
                    read_options=pa.json.ReadOptions(block_size=JSON_BLOCK_BYTES),
                    parse_options=pa.json.ParseOptions(newlines_in_values=True),
                )
            case ".parquet":
                return pa.parquet.read_table(path)
            case suffix:
                raise DataUnreadableError(f"{path}: unknown suffix {suffix!r}; convert it to .csv, .jsonl or .parquet")
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadableError(
            f"{path} cannot be read as {path.suffix[1:]}: {describe_read_problem(error)}"
        ) from error
