from __future__ import annotations

from pathlib import Path

import pytest

from models.settings import Settings
from workers.weights.description import RegisteredNames, describe_served_weights

NAMES = RegisteredNames({"/weights/g": "gemma-3-1b"}, {"/adapters/p": "posts"})


@pytest.mark.parametrize(
    ("weights", "adapter", "words"),
    [
        ("packaged", None, "gemma-3-270m, adapter gemma-3-270m-summaries, int8"),
        ("/weights/g", "/adapters/p", "gemma-3-1b, adapter posts, int8"),
        ("/weights/unknown", "/adapters/news", "unknown, adapter news, int8"),
        ("google/gemma-3-4b-it", "someone/posts", "google/gemma-3-4b-it, adapter someone/posts, int8"),
    ],
)
def test_weights_are_called_by_the_names_that_people_gave_them(weights: str, adapter: str | None, words: str) -> None:
    settings = Settings(weights=weights, adapter=adapter)
    assert describe_served_weights(settings, NAMES, has_adapter=True, precision="int8") == words


def test_a_relative_folder_is_called_by_its_last_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    settings = Settings(weights="weights/mine", adapter="none")
    assert describe_served_weights(settings, NAMES, has_adapter=False, precision=None) == "mine"
