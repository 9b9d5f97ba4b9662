from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.settings import read_settings
from workers.finetuning.base_weights import locate_base
from workers.weights.errors import WeightsCorruptError
from workers.weights.folder import METADATA_FILE


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "somebody else\'s"}'])
def test_a_base_with_a_card_that_is_not_ours_is_named(tiny_weights: Path, tmp_path: Path, text: str) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    (folder / METADATA_FILE).write_text(text)
    with pytest.raises(WeightsCorruptError, match=f"{folder / METADATA_FILE} cannot be read"):
        locate_base(read_settings(), str(folder))


def test_a_base_without_a_card_is_called_like_its_folder(tiny_weights: Path) -> None:
    assert locate_base(read_settings(), str(tiny_weights)).name == tiny_weights.name
