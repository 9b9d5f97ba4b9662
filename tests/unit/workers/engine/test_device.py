"""How much memory is left: what a container's control group allows counts, and what it has read of files does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.engine.cpu.memory import measure_free_in_group


@pytest.mark.parametrize("name", ["/", "/system.slice/gistmill.service"])
def test_a_container_leaves_what_its_limit_says(name: str, tmp_path: Path) -> None:
    group, own = tmp_path / "groups" / name.lstrip("/"), tmp_path / "own"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("700\n")
    (group / "memory.stat").write_text("anon 300\ninactive_file 250\nactive_file 100\n")
    own.write_text(f"4:memory:/other\n0::{name}\n")

    assert measure_free_in_group(tmp_path / "groups", own) == 550

    (group / "memory.current").write_text("2000\n")
    assert measure_free_in_group(tmp_path / "groups", own) == 0

    (group / "memory.max").write_text("max\n")
    assert measure_free_in_group(tmp_path / "groups", own) is None


def test_without_groups_there_is_no_limit(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert measure_free_in_group(tmp_path, own) is None
    own.write_text("4:memory:/other\n")
    assert measure_free_in_group(tmp_path, own) is None
    own.write_text("0::/\n")
    assert measure_free_in_group(tmp_path, own) is None
