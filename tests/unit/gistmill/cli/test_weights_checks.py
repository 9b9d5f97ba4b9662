"""What the commands about weights share."""

from __future__ import annotations

import sys

import click
import pytest

from gistmill.cli.weights_checks import prepare_weights


def test_weights_that_cannot_be_converted_end_the_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(click.exceptions.Exit) as ended:
        prepare_weights("packaged")
    assert ended.value.exit_code == 1
