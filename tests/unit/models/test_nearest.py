"""An unknown name is answered with names that are like it, not with whatever there is."""

from __future__ import annotations

import pytest

from models.nearest import find_nearest
from models.registry import suggest_nearest


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("nigthly", ["nightly"]), ("NIGHTLY", ["nightly"]), ("Weekly", ["weekly"]), ("zzz", [])],
)
def test_the_nearest_names_are_alike(name: str, nearest: list[str]) -> None:
    assert find_nearest(name, ["reports", "nightly", "weekly"]) == nearest


def test_of_names_that_are_not_alike_some_are_listed() -> None:
    assert suggest_nearest("zzz", ["base", "merged"]) == "; there are base, merged"
    assert suggest_nearest("mergd", ["base", "merged"]) == "; the nearest is merged"
    assert suggest_nearest("zzz", []) == "; register them with `gistmill weights add`"
