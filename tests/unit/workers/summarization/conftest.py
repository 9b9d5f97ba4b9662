"""Fixtures for the tests of the summarization core."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.shared_data import shared_data  # noqa: F401 - a fixture
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import Prompt, TokenCounter

# A machine under load is not a failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


class RealCounter:
    """Counts like the engine, without its weights."""

    def __init__(self, folder: Path) -> None:
        # Imported here: the other tests of the core need no transformers.
        from transformers import AutoTokenizer

        self._tokenizer = PromptTokenizer(AutoTokenizer.from_pretrained(folder))

    def count_tokens(self, text: str) -> int:
        return self._tokenizer.count_tokens(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        return len(self._tokenizer.encode_prompt(prompt))


@pytest.fixture(scope="session")
def real_counter(real_weights: Path) -> TokenCounter:
    """The tokenizer of the packaged Gemma 3 270M."""
    return RealCounter(real_weights)
