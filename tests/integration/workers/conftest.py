"""A tiny base to train adapters for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_gemma import build_tiny_gemma


@pytest.fixture(scope="session")
def base_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma as it is before instruction tuning: no chat template."""
    return build_tiny_gemma(tmp_path_factory.mktemp("tiny-base") / "tiny-gemma", chat=False)
