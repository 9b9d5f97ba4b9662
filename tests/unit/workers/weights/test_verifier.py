"""Metadata of a verifier: written, read again, checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.weights import verifier as module
from workers.weights.errors import AdapterUnreadableError
from workers.weights.verifier import PACKAGED_VERIFIER, VERIFIER_FILES, VerifierMetadata, find_packaged_verifier

VALUES = {"base": "tiny", "base_fingerprint": "f" * 64, "threshold": 0.4, "mark_threshold": 0.1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file under every name; only the metadata has content."""
    for name in VERIFIER_FILES:
        (tmp_path / name).write_text("")
    (tmp_path / "verifier.json").write_text(json.dumps(VALUES))
    return tmp_path


def test_metadata_that_is_written_is_read_again(folder: Path) -> None:
    metadata = VerifierMetadata(
        "tiny",
        "f" * 64,
        threshold=0.25,
        mark_threshold=0.125,
        training={"r": 4},
        data={"texts": 3},
        metrics={"auc": 0.9},
    )
    metadata.write(folder)
    assert VerifierMetadata.read(folder) == metadata


def test_training_data_and_metrics_may_be_missing(folder: Path) -> None:
    assert VerifierMetadata.read(folder) == VerifierMetadata("tiny", "f" * 64, 0.4, 0.1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "{}",
        json.dumps(VALUES | {"threshold": 1.5}),
        json.dumps(VALUES | {"threshold": float("nan")}),
        json.dumps(VALUES | {"threshold": "high"}),
        json.dumps(VALUES | {"mark_threshold": -0.5}),
        json.dumps({name: value for name, value in VALUES.items() if name != "mark_threshold"}),
        json.dumps(VALUES | {"base": 5}),
        json.dumps(VALUES | {"base_fingerprint": None}),
        json.dumps(VALUES | {"surprise": 1}),
    ],
)
def test_metadata_that_cannot_be_are_named(folder: Path, text: str) -> None:
    (folder / "verifier.json").write_text(text)
    with pytest.raises(
        AdapterUnreadableError, match=r"verifier\.json cannot be read .*train or copy the verifier again"
    ):
        VerifierMetadata.read(folder)


@pytest.mark.parametrize("name", VERIFIER_FILES)
def test_a_packaged_verifier_is_found_only_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "verifier.py"))
    packaged = tmp_path / "verifiers" / PACKAGED_VERIFIER
    assert find_packaged_verifier() is None
    packaged.mkdir(parents=True)
    for file in VERIFIER_FILES:
        (packaged / file).write_text("")
    assert find_packaged_verifier() == packaged
    (packaged / name).unlink()
    assert find_packaged_verifier() is None
