"""Memory of weights: pages of a file are given back, and zeros take none before they are written to."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from workers.engine.cpu.memory import LazyZeros, is_mapped, is_mapped_from_file, release_pages

SIZE = 256 * 2**20


def test_zeros_are_zeros_and_can_be_written_to() -> None:
    with LazyZeros():
        numbers = torch.zeros(6, dtype=torch.float32, device="cpu")

    numbers[2] = 5

    assert numbers.tolist() == [0, 0, 5, 0, 0, 0]
    assert numbers.view(2, 3)[0].sum() == 5


def test_only_what_is_written_to_takes_memory() -> None:
    process = psutil.Process()
    before = process.memory_info().rss

    with LazyZeros():
        zeros = torch.zeros(SIZE, dtype=torch.uint8)
    untouched = process.memory_info().rss - before
    zeros[: SIZE // 2] = 1
    written = process.memory_info().rss - before
    del zeros

    assert untouched < SIZE / 8
    assert SIZE * 3 / 8 <= written < SIZE * 5 / 8
    assert process.memory_info().rss - before < SIZE / 8


@pytest.mark.parametrize(
    "ask",
    [
        lambda: torch.zeros(2, 3),
        lambda: torch.zeros(0),
        lambda: torch.zeros(()),
        lambda: torch.zeros(4, requires_grad=True),
    ],
)
def test_others_are_left_to_torch(ask) -> None:  # type: ignore[no-untyped-def]
    with LazyZeros():
        made = ask()

    assert torch.equal(made, ask())
    assert made.requires_grad == ask().requires_grad


def test_more_than_is_free_is_a_memory_error() -> None:
    free = psutil.virtual_memory().available
    with LazyZeros(), pytest.raises(MemoryError, match=r"cannot allocate memory of .* GiB, .* GiB are free"):
        torch.zeros(free + 2**30, dtype=torch.uint8)


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
    few, none = torch.ones(3), torch.ones(0)
    assert not is_mapped(few)
    assert not is_mapped(none)
    release_pages(few)
    release_pages(none)
    assert (few.tolist(), none.tolist()) == ([1, 1, 1], [])
