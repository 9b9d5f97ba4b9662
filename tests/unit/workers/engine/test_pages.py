from __future__ import annotations

import torch

from workers.engine.pages import release_pages


def test_released_memory_is_still_what_it_was() -> None:
    tensor = torch.arange(1_000_000)
    release_pages(tensor)
    assert torch.equal(tensor, torch.arange(1_000_000))


def test_less_than_a_page_is_left_alone() -> None:
    release_pages(torch.ones(3))
    release_pages(torch.ones(0))
