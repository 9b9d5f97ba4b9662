"""Fixtures for reading: a sandbox with the default bounds."""

from collections.abc import Iterator

import pytest

from producer.sources import ReadLimits
from producer.sources.sandbox import Sandbox
from tests.shared_data import shared_data  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A child process that the tests of one module share."""
    with Sandbox(ReadLimits()) as sandbox:
        yield sandbox
