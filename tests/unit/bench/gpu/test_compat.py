"""The names that an older transformers is given."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import Gemma3TextConfig

from tests.bench.gpu.compat import adapt_transformers, name_page_size
from tests.bench.gpu.plan import take_path_of_gpu
from workers.engine import loading


@dataclass
class OldConfig:
    block_size: int = 256
    num_blocks: int | None = None


def test_nothing_is_added_to_the_transformers_that_the_engine_declares() -> None:
    assert adapt_transformers() == []


def test_an_older_config_takes_the_size_of_a_page_for_that_of_a_block() -> None:
    config = name_page_size(OldConfig)(page_size=32, num_blocks=7)
    assert (config.block_size, config.num_blocks) == (32, 7)


def test_a_dry_run_attends_as_a_gpu_does(monkeypatch) -> None:
    original = loading.choose_attention
    monkeypatch.setattr(loading, "choose_attention", original)
    take_path_of_gpu()
    config = Gemma3TextConfig()
    assert loading.choose_attention(config, "cpu") == original(config, "cuda")
