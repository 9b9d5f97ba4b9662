from __future__ import annotations

import pytest

from workers.evaluation.verification import SourceText

CHAT = """[09:02] maria: morning! is the staging cluster down for anyone else?
[09:05] jonas: certificate expired
[09:07] maria: lol great
[09:08] priya: I can issue a new one by hand, takes 15 min."""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[09:05] maria: lol great", "the source has these, but not together: [09:05] maria"),
        ("[09:07] maria: lol great", None),
        ("[09:05] jonas: certificate expired, as I said", None),
    ],
)
def test_a_line_of_a_chat_is_said_by_its_speaker_at_its_time(line: str, reason: str | None) -> None:
    [verdict] = SourceText(CHAT, None).verify([line])
    assert verdict.reason == reason
