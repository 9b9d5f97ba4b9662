"""Claims are read from files in two layouts; a broken line is named, and everything skipped is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gistmill.cli.training_data import make_row_reader
from tests.claims import write_claims
from tests.pairs import write_pairs
from workers.finetuning.claim_files import detokenize, holds_claims, read_claim_file, read_claims
from workers.finetuning.claim_groups import MAX_SUPPORTED, MAX_UNSUPPORTED, ClaimSet
from workers.finetuning.errors import DataUnreadableError, TooFewClaimsError, TrainingSettingsError

GOOD = json.dumps({"source": "A text.", "claims": [{"text": "It is a short text.", "is_consistent": True}]})


def read(*paths: Path, seed: int = 1) -> ClaimSet:
    return read_claims(paths, read_rows=make_row_reader(source_column="article", target_column="highlights"), seed=seed)


def write(path: Path, claims: list[dict[str, object]]) -> Path:
    path.write_text(json.dumps({"source": "A text.", "claims": claims}))
    return path


def test_claims_of_a_file_keep_text_verdict_and_origin(tmp_path: Path) -> None:
    found = read(write_claims(tmp_path / "claims.jsonl", 3))
    assert len(found.groups) == 3
    claims = {(claim.text, claim.is_supported, claim.origin) for claim in found.groups[0].claims}
    assert ("The council closed both bridges.", True, "written") in claims
    assert ("The council measured the piers.", False, "written") in claims
    assert not found.skipped


def test_files_of_claims_and_tables_of_pairs_go_together(tmp_path: Path) -> None:
    found = read(write_claims(tmp_path / "claims.jsonl", 3), write_pairs(tmp_path / "pairs.csv", 4))
    origins = {claim.origin for claim in found.claims}
    assert {"written", "reference"} <= origins
    assert len(found.groups) == 7


def test_a_table_of_pairs_in_jsonl_is_no_file_of_claims(tmp_path: Path) -> None:
    pairs, claims = tmp_path / "pairs.jsonl", write_claims(tmp_path / "claims.jsonl", 1)
    pairs.write_text(json.dumps({"article": "The river rose.", "highlights": "The council closed both bridges."}))
    assert (holds_claims(pairs), holds_claims(claims)) == (False, True)
    assert "reference" in {claim.origin for claim in read(pairs).claims}


def test_a_claim_without_an_origin_is_given(tmp_path: Path) -> None:
    (tmp_path / "claims.jsonl").write_text(GOOD)
    assert [claim.origin for claim in read(tmp_path / "claims.jsonl").claims] == ["given"]


def test_a_given_claim_is_true_in_every_word_or_false_as_a_whole(tmp_path: Path) -> None:
    found = read(write_claims(tmp_path / "claims.jsonl", 3))
    assert {(claim.is_supported, claim.unsupported) for claim in found.claims} == {(True, ()), (False, None)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: .*give one object a line"),
        ("[]", "line 2: it is no object with a list of claims"),
        ('{"source": "A", "claims": {}}', "line 2: it is no object with a list of claims"),
        ('{"claims": []}', "line 2: it has no text under 'source'"),
        ('{"source": " ", "claims": []}', "line 2: it has no text under 'source'"),
        ('{"source": "A", "claims": [5]}', "line 2: claim 1 has no text"),
        ('{"source": "A", "claims": [{"text": "B"}]}', "line 2: claim 1 has no true or false under 'is_consistent'"),
        ('{"source": "A", "claims": [{"text": "B", "is_consistent": 1}]}', "line 2: claim 1 has no true or false"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(DataUnreadableError, match=rf"claims\.jsonl, {message}"):
        read(path)


def test_a_file_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_bytes(GOOD.encode() + b"\n\xff")
    with pytest.raises(DataUnreadableError, match=r"claims\.jsonl cannot be read .*give a UTF-8 file"):
        read(path)


def test_what_is_skipped_is_counted_by_reason(tmp_path: Path) -> None:
    claims: list[dict[str, object]] = [
        {"text": f"The river rose by {number} metres.", "is_consistent": number % 2 == 0} for number in range(20)
    ]
    claims += [{"text": "Too short.", "is_consistent": True}, {"text": "word " * 91, "is_consistent": True}]
    claims += [{"text": "THE river rose by 0 metres.", "is_consistent": True}]
    found = read(write(tmp_path / "claims.jsonl", claims))
    assert len(found.claims) == MAX_SUPPORTED + MAX_UNSUPPORTED
    assert found.skipped == {
        "claims too short or too long": 2,
        "claims that occur twice": 1,
        f"claims over {MAX_SUPPORTED} true or {MAX_UNSUPPORTED} false ones of a text": 8,
    }


def test_the_seed_decides_which_claims_are_kept(tmp_path: Path) -> None:
    claims: list[dict[str, object]] = [
        {"text": f"The river rose by {number} metres.", "is_consistent": True} for number in range(20)
    ]
    path = write(tmp_path / "claims.jsonl", claims)
    first, same, other = (read_claim_file(path, seed=seed).data_hash for seed in (1, 1, 2))
    assert first == same != other


def test_nothing_given_and_nothing_usable_are_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingSettingsError, match="no data file given"):
        read()
    path = write(tmp_path / "claims.jsonl", [{"text": "Too short.", "is_consistent": True}])
    with pytest.raises(TooFewClaimsError, match=r"no usable claim in .*: 1 claims too short or too long"):
        read(path)


def test_a_table_without_the_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("text,summary\na,b\n")
    with pytest.raises(DataUnreadableError, match="no column 'article'; give --source-column one of"):
        read(tmp_path / "pairs.csv")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<t> the ban will be lifted . </t>", "the ban will be lifted."),
        ("`` families are n't coming , '' he said", '" families aren\'t coming, " he said'),
        ("-lrb- cnn -rrb- iran 's ban", "(cnn) iran's ban"),
        ("It cost 5 % more.", "It cost 5% more."),
        (
            "Usual text, with (all) its signs: \"as is\" - 3 .5 and 'so'!",
            "Usual text, with (all) its signs: \"as is\" - 3 .5 and 'so'!",
        ),
        ("Two\nlines", "Two\nlines"),
    ],
)
def test_texts_of_the_treebank_become_plain_and_others_stay(text: str, plain: str) -> None:
    assert detokenize(text) == plain
