"""Real documents and judgements."""

from __future__ import annotations

from tests.shared_data import shared_data  # noqa: F401 - a fixture
