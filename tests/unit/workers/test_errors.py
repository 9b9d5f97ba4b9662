"""Which ends of a worker process the supervisor takes for good."""

from __future__ import annotations

import pytest

from models.errors import GistmillError, SettingsError, UnknownIdError, UnreachableError
from workers.errors import FINAL_CODE, ServingError, ShortageError, choose_end_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServingError("no such folder"), FINAL_CODE),
        (SettingsError("no address"), FINAL_CODE),
        (UnknownIdError("no such name"), FINAL_CODE),
        (UnreachableError("Postgres is away"), 1),
        (ShortageError("the device is full"), 1),
    ],
)
def test_only_what_another_start_cannot_help_is_final(error: GistmillError, code: int) -> None:
    assert choose_end_code(error) == code
