"""The names that an older transformers is given."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.gpu.compat import adapt_transformers, name_page_size


@dataclass
class OldConfig:
    block_size: int = 256
    num_blocks: int | None = None


def test_nothing_is_added_to_the_transformers_that_the_engine_declares() -> None:
    assert adapt_transformers() == []


def test_an_older_config_takes_the_size_of_a_page_for_that_of_a_block() -> None:
    config = name_page_size(OldConfig)(page_size=32, num_blocks=7)
    assert (config.block_size, config.num_blocks) == (32, 7)
