"""The bounds of reading."""

from producer.sources.limits import format_bytes


def test_sizes_are_written_for_people() -> None:
    assert [format_bytes(512), format_bytes(3 * 1024 * 1024)] == ["512 bytes", "3 MiB"]
