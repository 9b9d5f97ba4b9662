"""Real servers of engines, from environments of their own: ``make test-engines`` names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine_conformance import Reference
from tests.integration.conftest import gistmill  # noqa: F401 - a fixture
from tests.shared_data import shared_data  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def reference(real_weights: Path) -> Reference:
    """The network of the real weights."""
    return Reference.load(real_weights)
