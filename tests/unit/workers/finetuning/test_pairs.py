"""Reading pairs from users' files, and counting what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from workers.finetuning.errors import DataUnreadableError, MissingColumnError, TooFewPairsError, TrainingSettingsError
from workers.finetuning.pairs import Pair, PairSet, clean_pairs, read_pairs, tidy_target

ROWS = [{"text": "The river rose.\nBridges closed.", "summary": "River rose ."}, {"text": "Two", "summary": "2"}]
PAIRS = (Pair("The river rose.\nBridges closed.", "River rose."), Pair("Two", "2"))


def write_file(folder: Path, suffix: str) -> Path:
    path = folder / f"pairs{suffix}"
    match suffix:
        case ".csv":
            path.write_text('summary,text\nRiver rose .,"The river rose.\nBridges closed."\n2,Two\n')
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        case ".parquet":
            pa.parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def write_parquet(article: object, kind: pa.DataType) -> bytes:
    """Return a Parquet file of one pair whose article is of a type."""
    buffer = pa.BufferOutputStream()
    columns = {"article": pa.array([article], kind), "highlights": pa.array(["summary"])}
    pa.parquet.write_table(pa.table(columns), buffer)
    return bytes(buffer.getvalue())


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_csv_jsonl_and_parquet_give_the_same_pairs(tmp_path: Path, suffix: str) -> None:
    pairs = read_pairs([write_file(tmp_path, suffix)], source_column="text", target_column="summary")
    assert pairs.pairs == PAIRS


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"text": "Three", "summary": "3"}\n')
    files = [write_file(tmp_path, ".csv"), tmp_path / "more.jsonl"]
    assert len(read_pairs(files, source_column="text", target_column="summary").pairs) == 3


def test_rows_that_cannot_be_used_are_counted() -> None:
    pairs = clean_pairs([("a", "b"), ("a", " "), (None, "b"), ("a", "b"), ("a", None), ("c", "d")])
    assert pairs == PairSet((Pair("a", "b"), Pair("c", "d")), empty_sources=1, empty_targets=2, duplicates=1)


def test_the_lines_of_a_summary_become_one_paragraph_with_attached_full_stops() -> None:
    assert tidy_target("One street .\nTwo cats !\n \nv .5 stays") == "One street. Two cats! v .5 stays"


def test_the_hash_changes_with_the_data_and_with_nothing_else() -> None:
    hashes = [PairSet(pairs).data_hash for pairs in (PAIRS, PAIRS[:1], PAIRS[::-1])]
    assert PairSet(PAIRS, empty_targets=3).data_hash == hashes[0]
    assert len(set(hashes)) == 3


def test_a_split_takes_every_pair_once_and_is_decided_by_the_seed() -> None:
    pairs = PairSet(tuple(Pair(str(number), "x") for number in range(20)))
    train, held_out = pairs.split(5, seed=1)
    assert sorted([*train, *held_out], key=lambda pair: int(pair.source)) == list(pairs.pairs)
    assert (train, held_out) == pairs.split(5, seed=1)
    assert held_out != pairs.split(5, seed=2)[1]


def test_too_few_pairs_for_the_held_out_part_are_refused() -> None:
    with pytest.raises(TooFewPairsError, match="2 usable pairs cannot give 50 held-out ones: bring at least 100 pairs"):
        PairSet(PAIRS).split(50, seed=0)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(MissingColumnError, match=r"pairs\.csv has no column 'article'; it has summary, text"):
        read_pairs([write_file(tmp_path, ".csv")], source_column="article", target_column="summary")


def test_a_file_without_a_usable_pair_says_what_was_wrong_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("article,highlights\nText,\n,Summary\n")
    with pytest.raises(TooFewPairsError, match="1 empty sources, 1 empty targets"):
        read_pairs([path], source_column="article", target_column="highlights")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no data file"),
        ("pairs.xlsx", b"PK", "unknown suffix '.xlsx'; convert it to .csv, .jsonl or .parquet"),
        ("pairs.parquet", b"not parquet", "cannot be read as parquet"),
        ("pairs.jsonl", b"{broken", "cannot be read as jsonl"),
        ("pairs.csv", b"", "cannot be read as csv"),
        ("pairs.csv", b"article,article,highlights\na,b,c\n", "pairs.csv has several columns 'article'"),
        ("pairs.jsonl", b'{"article": ["a"], "highlights": "b"}', "column 'article' holds what is no text"),
        ("pairs.jsonl", b'{"article": "a", "highlights": {"b": 1}}', "column 'highlights' holds what is no text"),
        ("pairs.parquet", write_parquet(["a"], pa.list_(pa.string())), "column 'article' holds what is no text"),
        ("pairs.parquet", write_parquet(b"\xff", pa.binary()), "column 'article' holds what is no text"),
        (
            "pairs.parquet",
            write_parquet("a", pa.string()).replace(b"PAR1", b"PAR1" + b"\xff" * 8, 1),
            "cannot be read as",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataUnreadableError, match=message):
        read_pairs([path], source_column="article", target_column="highlights")


def test_columns_that_look_like_numbers_are_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("article,highlights\n007,1.0\n")
    pairs = read_pairs([path], source_column="article", target_column="highlights")
    assert pairs.pairs == (Pair("007", "1.0"),)


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(TrainingSettingsError, match="no data file given"):
        read_pairs([], source_column="article", target_column="highlights")
