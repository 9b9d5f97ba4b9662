from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from workers.weights.errors import WeightsCorruptError
from workers.weights.folder import METADATA_FILE
from workers.weights.registration import describe_weights


@pytest.mark.parametrize("text", ["{", "5", '{"base_fingerprint": "abc"}'])
def test_weights_with_a_card_that_is_not_ours_are_named(tiny_weights: Path, tmp_path: Path, text: str) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    (folder / METADATA_FILE).write_text(text)
    with pytest.raises(WeightsCorruptError, match=f"{folder / METADATA_FILE} cannot be read"):
        describe_weights(Session(), "mine", str(folder))
