"""The servers of the chaos tests, started once, and a stage for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.arena import Arena, open_arena
from tests.chaos.scene import Scene


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    """Servers that may be killed."""
    with open_arena() as arena:
        yield arena


@pytest.fixture
def scene(arena: Arena, tmp_path: Path) -> Iterator[Scene]:
    """A fresh database, an empty broker, and what the test adds to them."""
    scene = Scene(arena, tmp_path)
    yield scene
    scene.close()
