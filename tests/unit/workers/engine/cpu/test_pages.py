from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from workers.engine.cpu.memory import is_mapped_from_file, release_pages


def test_released_memory_of_a_file_is_read_from_it_again(tmp_path: Path) -> None:
    save_file({"numbers": torch.arange(1_000_000)}, tmp_path / "file.safetensors")
    with safe_open(tmp_path / "file.safetensors", "pt") as file:
        tensor = file.get_tensor("numbers")
    assert is_mapped_from_file(tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes)
    release_pages(tensor)
    assert torch.equal(tensor, torch.arange(1_000_000))


def test_memory_that_no_file_holds_is_kept() -> None:
    tensor = torch.arange(1_000_000)
    assert not is_mapped_from_file(tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes)
    release_pages(tensor)
    assert torch.equal(tensor, torch.arange(1_000_000))


def test_less_than_a_page_is_left_alone() -> None:
    release_pages(torch.ones(3))
    release_pages(torch.ones(0))
