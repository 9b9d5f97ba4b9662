"""Settings that cannot be are refused by their names."""

from __future__ import annotations

import pytest

from models.errors import SettingsError
from models.settings import read_settings


@pytest.mark.parametrize("url", ["http://host:port/v1", "http://[::1/v1", "http://host:99999/v1", "http://host:0/v1"])
def test_an_address_of_an_engine_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="GISTMILL_ENGINE="):
        read_settings(engine=f"http://gpu1:8000/v1,{url}")
