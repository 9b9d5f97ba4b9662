from __future__ import annotations

from pathlib import Path

import pytest

from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.errors import HomeError
from workers.local.home import open_home
from workers.weights.errors import WeightsNotFoundError


def test_a_data_folder_that_cannot_be_made_is_named_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="set GISTMILL_HOME to a folder"):
        open_home(tmp_path / "file" / "home")
    with pytest.raises(WeightsNotFoundError, match="set GISTMILL_HOME to a folder"):
        ensure_packaged_weights(tmp_path / "file" / "weights" / "gemma")
