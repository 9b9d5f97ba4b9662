"""Which adapter goes with which weights when nobody, somebody or the registry says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.settings import read_settings
from workers.serving import find_adapter
from workers.weights import packaged
from workers.weights.errors import WeightsNotFoundError
from workers.weights.packaged import ADAPTER_FILES


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the packaged adapter, still empty."""
    monkeypatch.setattr(packaged, "__file__", str(tmp_path / "packaged.py"))
    monkeypatch.delenv("GISTMILL_WEIGHTS", raising=False)
    folder = tmp_path / "adapters" / packaged.SUMMARIES
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def whole_adapter(adapter: Path) -> Path:
    """The same with all its files."""
    for name in ADAPTER_FILES:
        (adapter / name).write_text("{}")
    return adapter


def test_the_packaged_weights_are_served_with_the_packaged_adapter(whole_adapter: Path) -> None:
    assert find_adapter(read_settings()) == str(whole_adapter)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"adapter": "none"}, None),
        ({"adapter": "/mine"}, "/mine"),
        ({"weights": "/other"}, None),
        ({"weights": "/other", "adapter": "/mine"}, "/mine"),
    ],
)
def test_any_other_wish_is_followed(settings: dict[str, str], found: str | None, whole_adapter: Path) -> None:
    assert find_adapter(read_settings(**settings)) == found


def test_an_adapter_with_a_file_missing_is_not_served_unasked_and_named_when_asked_for(whole_adapter: Path) -> None:
    (whole_adapter / "adapter_model.safetensors").unlink()
    assert find_adapter(read_settings()) is None
    with pytest.raises(WeightsNotFoundError, match="the packaged adapter is not installed"):
        find_adapter(read_settings(adapter="packaged"))
