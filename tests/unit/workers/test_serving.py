"""Choice of the adapter for weights, and the errors of a verifier that cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.settings import read_settings
from workers.engine import verifier as verifier_module
from workers.engine.errors import InsufficientMemoryError
from workers.errors import ServingError, ShortageError
from workers.serving import find_adapter, load_judge
from workers.weights import packaged
from workers.weights.errors import AdapterMismatchError, WeightsError, WeightsNotFoundError
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


@pytest.mark.parametrize(
    ("reason", "error"),
    [(AdapterMismatchError("does not fit"), ServingError), (InsufficientMemoryError("none is free"), ShortageError)],
)
def test_a_verifier_that_cannot_be_loaded_ends_the_worker_and_a_shortage_of_memory_may_pass(
    reason: WeightsError, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise reason

    monkeypatch.setattr("workers.serving.find_verifier_base", lambda _settings, _folder: tmp_path)
    monkeypatch.setattr(verifier_module, "load_verifier", fail)
    with pytest.raises(error, match=f"the verifier cannot be loaded: {reason}"):
        load_judge(read_settings(verifier=str(tmp_path)), tmp_path)
