"""Random weights in the shapes of Gemma 3: speed and exactness ask for nothing else, and nothing must be downloaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from workers.engine.ragged_attention import RAGGED

# Of every so many layers one attends to everything, the others to a window.
FULL_EVERY = 6
# Drawn wider than Gemma's own, so that next tokens differ from one place to the next.
INITIAL_SPREAD = 0.04


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a text decoder.

    Args:
        name: as tables print it.
        layers: decoder layers.
        hidden: width of the residual stream.
        intermediate: width of the feed-forward.
        heads: query heads.
        key_heads: heads of keys and values.
        head_size: numbers of one head.
        window: most tokens that a sliding layer sees.
        vocabulary: rows of the embedding, which is the output head as well.
    """

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head_size: int
    window: int
    vocabulary: int

    @property
    def layer_types(self) -> list[str]:
        """The attention of each layer, as transformers names it."""
        return ["sliding_attention" if (index + 1) % FULL_EVERY else "full_attention" for index in range(self.layers)]

    def count_layer_weights(self) -> int:
        """Return the numbers in the matrices of all layers."""
        attention = self.hidden * self.head_size * (2 * self.heads + 2 * self.key_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    def count_weights(self) -> int:
        """Return the numbers that one decode step reads: all layers, and the head."""
        return self.count_layer_weights() + self.vocabulary * self.hidden

    def count_cache_numbers(self, tokens: int) -> int:
        """Return the numbers of keys and values that attention reads for one sequence of so many tokens."""
        seen = sum(tokens if kind == "full_attention" else min(tokens, self.window) for kind in self.layer_types)
        return 2 * self.key_heads * self.head_size * seen


GEMMA_1B = Shape("Gemma 3 1B", 26, 1152, 6912, heads=4, key_heads=1, head_size=256, window=512, vocabulary=262_144)
GEMMA_4B = Shape("Gemma 3 4B", 34, 2560, 10_240, heads=8, key_heads=4, head_size=256, window=1024, vocabulary=262_208)
# For a dry run on a CPU: small, with a window that prompts exceed.
TINY = Shape("tiny", 6, 64, 128, heads=4, key_heads=1, head_size=32, window=16, vocabulary=1024)
DEEPER = replace(TINY, name="deeper", layers=8)


def build_network(shape: Shape, *, dtype: torch.dtype, device: str, seed: int = 0) -> Any:
    """Return a causal language network with random weights and ragged attention, in evaluation mode."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        layer_types=shape.layer_types,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head_size,
        query_pre_attn_scalar=shape.head_size,
        sliding_window=shape.window,
        max_position_embeddings=8192,
        attn_implementation=RAGGED,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), no_initialization():
            network = Gemma3ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    # Left out together with the initialization.
    network.tie_weights()
    fill_weights(network, device, seed)
    network.config.dtype = dtype
    return network.eval().requires_grad_(False)


def no_initialization() -> Any:
    """Return a context in which transformers leaves weights as they are made."""
    from transformers.initialization import no_init_weights

    return no_init_weights()


@torch.no_grad()
def fill_weights(network: Any, device: str, seed: int) -> None:
    """Draw every matrix; norms multiply by one, that before the head by more, and embeddings are small.

    The head is the embedding: left at its size, it would make every next token a copy of the last one.
    """
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim < 2:
            parameter.zero_()
        else:
            parameter.normal_(0.0, INITIAL_SPREAD, generator=generator)
        if name.endswith("embed_tokens.weight"):
            parameter.mul_(0.1)
    network.model.norm.weight.fill_(15.0)


def make_prompts(count: int, tokens: int, vocabulary: int, *, seed: int = 0) -> list[list[int]]:
    """Return prompts of random ids, the same in every run."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(10, vocabulary, (count, tokens), generator=generator).tolist()
