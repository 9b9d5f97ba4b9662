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


def test_a_line_may_begin_with_the_last_word_of_a_sentence() -> None:
    assert unwrap(f"{LONG}\nday. The keeper looks at it.") == f"{LONG} day. The keeper looks at it."


def test_a_word_that_is_divided_at_the_end_of_a_line_is_one_word() -> None:
    divided = "The laboratory in the valley was built in 1903 for the environ-\nmental protection of the rivers."
    paired = "The laboratory in the valley measures the levels of the rivers, the up-\nand downstream ones as well."
    assert unwrap(divided) == divided.replace("\n", "")
    assert unwrap(paired) == paired.replace("\n", " ")


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
        f"{LONG}\n\t\n{REST}",
        f"```\n{LONG}\n{REST}\n```",
        f"| {LONG} |\n| {REST} |",
        f"# {LONG}\n{REST}",
        f"so {LONG.lower()}\n{REST}\n{LAST.lower()}",
        f"{LONG}.\n{REST.capitalize()}.\n{LAST}",
        f"{LONG}\n{REST.capitalize()}\n{LAST.capitalize()}",
        "Ingredients\nflour\nbutter",
        "2026-11-30 16:56:07.028 LOG: listening on address 127.0.0.1, port 48313\n"
        "2026-11-30 16:56:07.034 LOG: database system was shut down at 16:56:06",
        "\u6cb3\u6c34\u4e0a\u6da8\u4e86" * 10 + "\n" + "\u7ba1\u7406\u5458\u6253\u5f00" * 9,
        "Commands of the program that are described in the manual of it:\n"
        "  submit   Send the documents of a folder to the servers of the cluster\n"
        "  results  List the summaries of a batch, the latest of them first",
        "Monday in the channel of the team that looks after the servers\n"
        "anna: so the certificate of the staging cluster has expired again\n"
        "bob: yes, and the one of the production cluster is another one",
        "Id,name,street,town,what the customer has written to us in May\n"
        "smith-1,Smith,Baker Street 12,Aldbury,the pump of the mill is loud",
        "The tenant of the house shall, as long as he lives in its rooms:\n"
        "a) keep the garden and the paths of it in the state they are in,\n"
        "b) pay the rent on the first day of each month of the year, and",
        "Settings of the server in the file that is read when it starts\n"
        "listen_addresses = 127.0.0.1 for a server on the machine itself\n"
        "max_connections = 200 for all of the workers and the commands",
        "Version 2.4 of the program for the pumps of the mill\n"
        "fixed a crash of the parser on files that have no line end at all\n"
        "added an option that prints how old the server is\n"
        "removed the protocol that nobody has used since version one, and its tests",
    ],
    ids=[
        *(
            "break",
            "backslash",
            "gap",
            "blank",
            "code",
            "table",
            "heading",
            "lower",
            "sentences",
            "capitals",
            "items",
            "log",
        ),
        *("han", "columns", "speakers", "csv", "letters", "settings", "short"),
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
    assert masked.split() == text.split()
    assert "".join(unwrap(text).split()) == "".join(text.split())
    assert len(masked) == len(text)
    assert all(new == old or (old, new) == ("\n", " ") for old, new in zip(text, masked, strict=True))
