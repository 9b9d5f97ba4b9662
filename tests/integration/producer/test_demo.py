from __future__ import annotations

import pytest

from gistmill.cli.demo import print_summaries
from models.views import JobSummary
from tests.hand_driven import Driver
from tests.sentences import SENTENCES, SUMMARY


def test_the_demo_shows_every_summary_with_its_verdicts_and_passages(
    driver: Driver, submitted: list[JobSummary], capsys: pytest.CaptureFixture[str]
) -> None:
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES)
    driver.fail(submitted[1].job_id, "plan", message="\x1b[2J it broke")
    capsys.readouterr()

    assert not print_summaries("pile")

    shown = capsys.readouterr().out
    assert "It says much. [1] Document a says something. [2]" in shown
    assert "[3] flagged: 70 is nowhere in the document" in shown
    assert "it broke" in shown
    assert "\x1b" not in shown
