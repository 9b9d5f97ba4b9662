"""Pairs to train on: cleaned, counted, hashed and split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from workers.finetuning.errors import TooFewPairsError, TrainingSettingsError
from workers.finetuning.pairs import Pair, PairSet, clean_pairs, read_pairs, tidy_target

PAIRS = (Pair("The river rose.\nBridges closed.", "River rose."), Pair("Two", "2"))


def read_rows(paths: Sequence[Path]) -> Iterator[tuple[str | None, str | None]]:
    for path in paths:
        yield path.name, "summary"
        yield "", "summary"
        yield "text", None


def test_the_rows_of_several_files_and_approved_pairs_are_one_set() -> None:
    pairs = read_pairs([Path("a"), Path("b")], read_rows=read_rows, approved=[("approved", "so")])
    assert [pair.source for pair in pairs.pairs] == ["a", "b", "approved"]
    assert (pairs.empty_sources, pairs.empty_targets) == (2, 2)


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


def test_files_without_a_usable_pair_say_what_was_wrong_with_their_rows() -> None:
    with pytest.raises(TooFewPairsError, match="no usable pair in a: 1 empty sources, 1 empty targets"):
        read_pairs([Path("a")], read_rows=lambda _: [("", "b"), ("a", "")])


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(TrainingSettingsError, match="no data file given"):
        read_pairs([], read_rows=read_rows)
