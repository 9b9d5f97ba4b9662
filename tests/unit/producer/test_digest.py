"""Requests for digests are checked before anything is read."""

from __future__ import annotations

from uuid import UUID

import pytest

from models.errors import SettingsError
from models.lookup import Target
from producer.digest import prepare_digest


def test_a_column_that_no_table_can_have_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="option by holds NUL characters"):
        prepare_digest(Target(UUID(int=1), "pile"), {}, by="auth\0or")
