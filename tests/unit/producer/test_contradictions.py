from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import SettingsError
from producer.options import build_job_options
from producer.preparation import Reading


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gate": 0.3, "check": False}, "--gate needs the check that --no-check turns off"),
        ({"do_sample": False, "temperature": 0.9}, "so --temperature has no effect"),
        ({"greedy": True, "top_k": 5}, "so --top-k has no effect"),
        ({"do_sample": False, "top_p": 0.5}, "so --top-p has no effect"),
        ({"do_sample": True, "temperature": 0}, "--do-sample samples"),
        ({"temperature": 0.0, "top_p": 0.5}, "so --top-p has no effect"),
        ({"greedy": True, "do_sample": True}, "--greedy and --do-sample contradict each other"),
        ({"grounding": "off", "candidates": 3}, "--candidates are tries"),
        ({"strategy": "refine", "stuff_tokens": 900}, "--stuff-tokens is for --strategy auto, not for refine"),
        ({"strategy": "extract", "language": "German"}, "so --language has no effect"),
        ({"strategy": "extract", "prompt": "In one line: {text}"}, "so --prompt has no effect"),
    ],
)
def test_options_that_contradict_each_other_are_refused_by_name(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        build_job_options(given)

    assert str(refused.value).endswith(("leave one of the two out", "leave one out"))


@pytest.mark.parametrize(
    "given",
    [
        {"gate": 0.3},
        {"gate": 0.3, "check": True},
        {"check": False},
        {"do_sample": False, "seed": 7, "num_beams": 2},
        {"do_sample": True, "temperature": 0.9},
        {"grounding": "flag", "candidates": 3},
        {"strategy": "auto", "stuff_tokens": 900},
        {"strategy": "extract", "words": 60, "greedy": True},
    ],
)
def test_options_that_go_together_are_taken(given: dict[str, object]) -> None:
    assert build_job_options(given)


@pytest.mark.parametrize("zero", [0, 0.0])
def test_a_temperature_of_zero_is_greedy_decoding(zero: float) -> None:
    assert build_job_options({"temperature": zero}) == build_job_options({"greedy": True})
    assert build_job_options({"temperature": zero}).generation.do_sample is False


@pytest.mark.parametrize("option", ["text_column", "id_column"])
def test_a_column_is_refused_where_every_file_is_another_kind_than_a_table(option: str, tmp_path: Path) -> None:
    notes, rows = tmp_path / "notes.txt", tmp_path / "rows.csv"
    notes.write_text("Some words.")
    rows.write_text("text\nSome other words.\n")

    with pytest.raises(SettingsError, match=f"--{option.replace('_', '-')} names a column of a table"):
        Reading((str(notes),), **{option: "text"})
    for documents in ((str(notes), str(rows)), str(tmp_path), "-", "https://a.example/b.txt", [{"text": "a"}]):
        assert Reading(documents, **{option: "text"})
