from __future__ import annotations

from pathlib import Path

import pytest

from gistmill.doctor import parts
from gistmill.doctor.parts import examine_parts, examine_weights
from models.settings import Settings


def test_an_extra_that_is_not_installed_is_noted_with_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    real = parts.find_spec
    monkeypatch.setattr(parts, "find_spec", lambda name: None if name in ("rapidocr", "onnxruntime") else real(name))

    found = {one.subject: one for one in examine_parts()}

    assert found["extra ocr"].condition == "note"
    assert found["extra ocr"].words == "rapidocr, onnxruntime are missing"
    assert found["extra ocr"].advice == "to read scans with --ocr: pip install --constraint constraints.txt '.[ocr]'"
    assert found["extra worker"].condition == "ok"
    assert found["extra serve"].words == "installed, to run `gistmill serve`"


@pytest.mark.parametrize(
    ("given", "conditions"),
    [
        ({}, {"weights": "ok", "adapter": "ok", "verifier": "ok"}),
        ({"adapter": "none", "verifier": "none"}, {"weights": "ok", "verifier": "note"}),
        ({"weights": "nobody/nothing"}, {"weights": "note", "verifier": "ok"}),
        ({"weights": "FOLDER"}, {"weights": "broken", "verifier": "ok"}),
        ({"adapter": "FOLDER"}, {"weights": "ok", "adapter": "broken", "verifier": "ok"}),
        ({"adapter": "nobody/nothing"}, {"weights": "ok", "adapter": "note", "verifier": "ok"}),
        ({"verifier": "FOLDER"}, {"weights": "ok", "adapter": "ok", "verifier": "broken"}),
    ],
)
def test_weights_adapter_and_verifier_are_looked_for(
    given: dict[str, str], conditions: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    named = {name: str(tmp_path / "empty") if value == "FOLDER" else value for name, value in given.items()}

    found = {one.subject: one.condition for one in examine_weights(Settings(home=tmp_path, **named))}

    assert found == conditions


def test_a_folder_of_whole_weights_is_sound(tiny_weights: Path) -> None:
    weights, *_ = examine_weights(Settings(weights=str(tiny_weights)))

    assert (weights.condition, weights.words) == ("ok", str(tiny_weights))
