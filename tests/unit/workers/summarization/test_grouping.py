"""Content-defined groups cover every member within their room, and a change far away leaves them as they are."""

from __future__ import annotations

import random

from workers.summarization.grouping import group_by_content, hash_mark

ROOM = 1000


def make_members(number: int, *, seed: int = 0) -> list[tuple[int, float]]:
    dice = random.Random(seed)
    return [(dice.randint(60, 240), hash_mark(f"member {seed} {place}")) for place in range(number)]


def cut(members: list[tuple[int, float]], *, least: int = 1) -> list[tuple[tuple[int, float], ...]]:
    sizes, marks = zip(*members, strict=True)
    return [
        tuple(members[place] for place in group) for group in group_by_content(sizes, marks, room=ROOM, least=least)
    ]


def test_groups_partition_the_members_within_the_room() -> None:
    members = make_members(500)

    groups = cut(members)

    assert [member for group in groups for member in group] == members
    assert max(sum(size for size, _ in group) for group in groups) <= ROOM
    # Each has room for six of them, and ends on average before it is full.
    assert 500 / 6 < len(groups) < 500 / 2


def test_an_inserted_member_changes_few_groups_wherever_it_is() -> None:
    members = make_members(300)
    before = set(cut(members))

    new = [
        len(set(cut([*members[:place], (150, hash_mark(f"new {place}")), *members[place:]])) - before)
        for place in range(0, 301, 10)
    ]

    assert min(new) >= 1
    assert sum(new) / len(new) < 2


def test_every_group_but_the_last_has_the_least_number_of_members() -> None:
    sizes, marks = [900] * 7, [0.0] * 7

    groups = group_by_content(sizes, marks, room=ROOM, least=2)

    assert list(map(len, groups)) == [2, 2, 2, 1]


def test_nothing_is_grouped_to_nothing() -> None:
    assert group_by_content([], [], room=ROOM) == []
