from __future__ import annotations

import json
from uuid import UUID

import pytest

from gistmill.cli.output import print_fields, print_json_array, print_table
from producer.wording import clean_line, clean_text


@pytest.mark.parametrize("text", ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\u202eevil", "\x9b31m", "\x00"])
def test_control_characters_of_a_document_never_reach_the_terminal(text: str) -> None:
    cleaned = clean_text(text)

    assert all(character.isprintable() for character in cleaned)


def test_lines_and_tabs_of_a_text_stay() -> None:
    assert clean_text("a\n\tb") == "a\n\tb"
    assert clean_line("a\n\t b") == "a b"


def test_a_table_is_aligned_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "jobs"), [("a long name", 1), (None, 20)])

    assert capsys.readouterr().out == "name         jobs\na long name  1\n             20\n"


def test_empty_fields_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"source": "a.md", "reason": None, "title": "", "took": 0})

    assert capsys.readouterr().out == "source  a.md\n  took  0\n"


@pytest.mark.parametrize("values", [[], [{"id": UUID(int=1)}], [1, 2, 3]])
def test_a_stream_of_values_is_one_json_array(values: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    print_json_array(iter(values))

    assert len(json.loads(capsys.readouterr().out)) == len(values)
