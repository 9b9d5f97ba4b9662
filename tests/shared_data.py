"""Real documents for tests and benches: they lie in a folder beside the checkout, or where the environment says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(os.environ.get("GISTMILL_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real documents; only a machine that is not CI may do without."""
    if not SHARED_DATA.is_dir():
        problem = f"no real documents at {SHARED_DATA}: set GISTMILL_TEST_DATA to their folder"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    return SHARED_DATA
