from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.summarization.wrapping import mask_wraps, unwrap

LONG = "The controller measures the level of the water in the river every"
REST = "minute, and opens the valves of the reservoir when it rises above"
LAST = "two metres. An alarm calls the keeper of the Weser."


def test_wrapped_lines_are_joined_by_one_space() -> None:
    assert unwrap(f"{LONG}\n{REST}\n{LAST}") == f"{LONG} {REST} {LAST}"
    assert unwrap(f"- {LONG}\n  {REST}\n  {LAST}\n- Next") == f"- {LONG} {REST} {LAST}\n- Next"


def test_a_line_that_begins_with_a_name_belongs_to_the_wrapped_paragraph() -> None:
    assert unwrap(f"{LONG}\n{REST}\nWeser rises.") == f"{LONG} {REST} Weser rises."


def test_a_paragraph_whose_lines_are_full_is_wrapped_as_those_around_it() -> None:
    full = "The reservoir is above the town, at the foot of the mountains of\nHarz, and holds the rain."
    rows = "The reservoir above the town has room for more rain\nHarz has the highest mountains"
    text = f"{LONG}\n{REST}\n{LAST}\n\n{{}}"
    assert unwrap(text.format(full)).endswith(full.replace("\n", " "))
    assert unwrap(text.format(rows)).endswith(rows)
    assert unwrap(full) == full


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG}  \n{REST}",
        f"{LONG}\\\n{REST}",
        f"{LONG}\n\n{REST}",
        f"```\n{LONG}\n{REST}\n```",
        f"| {LONG} |\n| {REST} |",
        f"# {LONG}\n{REST}",
        f"so {LONG.lower()}\n{REST}\n{LAST.lower()}",
        f"{LONG}.\n{REST.capitalize()}.\n{LAST}",
        f"{LONG}\n{REST.capitalize()}\n{LAST.capitalize()}",
        "Ingredients\nflour\nbutter",
        "2026-11-30 16:56:07.028 LOG: listening on address 127.0.0.1, port 48313\n"
        "2026-11-30 16:56:07.034 LOG: database system was shut down at 16:56:06",
        "河水在夜里上涨。" * 8 + "\n" + "管理员打开了水库的阀门。" * 5,
    ],
    ids=[
        "break",
        "backslash",
        "gap",
        "code",
        "table",
        "heading",
        "lower",
        "sentences",
        "capitals",
        "items",
        "log",
        "han",
    ],
)
def test_a_line_end_that_is_no_wrap_stays(text: str) -> None:
    assert unwrap(text) == mask_wraps(text) == text


lines = st.lists(
    st.text(alphabet="Aab .-*#|`\\\t", max_size=70) | st.sampled_from([LONG, REST, LAST, f"  {REST}", ""]), max_size=8
)


@given(lines.map("\n".join))
def test_only_white_space_changes_and_offsets_stay(text: str) -> None:
    masked = mask_wraps(text)
    assert unwrap(text).split() == text.split() == masked.split()
    assert len(masked) == len(text)
    assert all(new == old or (old, new) == ("\n", " ") for old, new in zip(text, masked, strict=True))
