from __future__ import annotations

import pytest

from producer.errors import WaitTimeoutError
from producer.watch import Deadline, Outage, has_ended


def test_without_a_timeout_every_pause_is_the_interval() -> None:
    assert Deadline(None).choose_pause(5.0, Outage("down")) == 5.0


def test_the_last_pause_ends_with_the_timeout() -> None:
    assert 0 < Deadline(100).choose_pause(1000, Outage("down")) <= 100


def test_a_timeout_in_an_outage_names_the_outage() -> None:
    with pytest.raises(WaitTimeoutError, match=r"Postgres does not answer \(down\) after 0.0 s; the work goes on"):
        Deadline(0).choose_pause(1, Outage("down"))


def test_an_outage_is_no_end() -> None:
    assert not has_ended(Outage("down"))
