"""Token counter of weights that are not loaded, for dry-run plans."""

from __future__ import annotations

from pathlib import Path

from workers.engine.pretrained import read_config, read_vocabulary
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import Prompt
from workers.weights.folder import find_folder, find_tokenizer_folder, read_prompt_format


class PromptCounter:
    """Counts tokens by a weights folder or hub id, and its adapter; implements ``TokenCounter``.

    Args:
        weights: folder or hub id.
        revision: of a hub id.
        adapter: folder or hub id; None for none.
        context_tokens: upper limit on the context; None for none.
        has_tensors: False for weights that a server has, of which only tokenizer and config are here.

    Raises:
        WeightsError: there are no such weights, or their files are broken.
    """

    def __init__(
        self,
        weights: str,
        *,
        revision: str | None = None,
        adapter: str | None = None,
        context_tokens: int | None = None,
        has_tensors: bool = True,
    ) -> None:
        find = find_folder if has_tensors else find_tokenizer_folder
        folder: Path = find(weights, revision=revision)
        # The engine's own context may be smaller where its KV cache has less memory.
        longest: int = read_config(folder).max_position_embeddings
        self.context_tokens = min(longest, context_tokens or longest)
        self._tokenizer = PromptTokenizer(read_vocabulary(folder))
        self.prompt_format = read_prompt_format(
            folder,
            adapter=None if adapter is None else find_folder(adapter, kind="adapter"),
            has_chat_template=self._tokenizer.has_chat_template,
        )

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without any control tokens."""
        return self._tokenizer.count_tokens(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        """Return the exact length of the encoded prompt, control tokens included."""
        return len(self._tokenizer.encode_prompt(prompt))
