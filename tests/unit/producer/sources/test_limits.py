"""The bounds of reading."""

import pytest

from producer.sources import ReadLimits
from producer.sources.limits import format_bytes


def test_a_bound_below_one_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="pages must be 1 or more, not 0"):
        ReadLimits(pages=0)


def test_no_redirects_may_be_wanted() -> None:
    assert ReadLimits(redirects=0).redirects == 0
    with pytest.raises(ValueError, match="redirects"):
        ReadLimits(redirects=-1)


def test_sizes_are_written_for_people() -> None:
    assert [format_bytes(512), format_bytes(3 * 1024 * 1024)] == ["512 bytes", "3 MiB"]
