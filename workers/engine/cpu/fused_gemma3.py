"""Decoder layers of Gemma 3 on a CPU with fused operations: the same results from fewer operations.

A decode step of a small network runs hundreds of small operations that cost more to start than to compute, and in
prefill each moves all activations through memory. Here one product computes queries, keys and values, a norm is few
operations, and in bfloat16 the products of the feed-forward network include its activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.engine.compat_transformers import Gemma3DecoderLayer, Gemma3RMSNorm, get_attention
from workers.engine.cpu.chunked_linear import find_places, map_in_threads
from workers.engine.cpu.memory import release_pages
from workers.engine.cpu.onednn import OneDnnLinear
from workers.engine.ragged_attention import RAGGED, attend_ragged

# The activation that oneDNN can fuse with a product.
ACTIVATION = "gelu_pytorch_tanh"


def fuse_layers(network: Any, prepare: Callable[[nn.Module], None]) -> None:
    """Replace every decoder layer and norm of Gemma 3 in a network, in place.

    Args:
        network: any network; layers of other families stay.
        prepare: packs a new layer before the next ones are built, so that memory never holds all joined weights.
    """

    def replace(place: tuple[nn.Module, str]) -> None:
        module, name = place
        layer = FusedGemma3Layer(getattr(module, name))
        prepare(layer)
        setattr(module, name, layer)

    map_in_threads(replace, find_places(network, Gemma3DecoderLayer))
    for module, name in find_places(network, Gemma3RMSNorm):
        setattr(module, name, make_norm(getattr(module, name)))


class FusedRMSNorm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019) of Gemma 3 in few operations.

    Args:
        weight: factor of the normalized rows, (..., size).
        eps: added to the mean of the squares.
    """

    def __init__(self, weight: torch.Tensor, eps: float) -> None:
        super().__init__()
        size = weight.shape[-1]
        # Both are scaled for the sum of the squares in place of their mean.
        self.weight = nn.Parameter(weight.detach() * size**0.5, requires_grad=False)
        self._scaled_eps = nn.Parameter(weight.new_tensor(eps * size), requires_grad=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., size) of rows (..., size)."""
        return self._normalize(rows).mul_(self.weight)

    def add(self, rows: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Return the norm of rows (..., size) plus a residual (..., size)."""
        return torch.addcmul(residual, self._normalize(rows), self.weight)

    def _normalize(self, rows: torch.Tensor) -> torch.Tensor:
        norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        return rows * torch.addcmul(self._scaled_eps, norm, norm).rsqrt_()


def make_norm(norm: Gemma3RMSNorm) -> FusedRMSNorm:
    """Return the fused form of a norm of Gemma 3."""
    return FusedRMSNorm(1.0 + norm.weight, norm.eps)


class FusedGemma3Layer(nn.Module):
    """Fused decoder layer of Gemma 3, with the call signature of the layer that it replaces."""

    def __init__(self, layer: Gemma3DecoderLayer) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self.layer_idx = attention.layer_idx
        # Read by the attention functions of transformers, which run outside the loop.
        self.num_key_value_groups = attention.num_key_value_groups
        self.is_causal = attention.is_causal
        self._head_size, self._scaling, self._window = attention.head_dim, attention.scaling, attention.sliding_window
        self._key_heads = attention.config.num_key_value_heads
        self._heads = attention.config.num_attention_heads
        weights = [attention.q_norm.weight] * self._heads + [attention.k_norm.weight] * self._key_heads
        self._head_norm = FusedRMSNorm(1.0 + torch.stack(weights), attention.q_norm.eps)
        self._is_last = self.layer_idx == attention.config.num_hidden_layers - 1
        self.qkv_proj = join_linears([attention.q_proj, attention.k_proj, attention.v_proj])
        self.o_proj = attention.o_proj
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj
        self._activate, self._is_fusible = mlp.act_fn, mlp.config.hidden_activation == ACTIVATION
        self.input_layernorm = make_norm(layer.input_layernorm)
        self.post_attention_layernorm = make_norm(layer.post_attention_layernorm)
        self.pre_feedforward_layernorm = make_norm(layer.pre_feedforward_layernorm)
        self.post_feedforward_layernorm = make_norm(layer.post_feedforward_layernorm)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None = None,
        past_key_values: Any = None,
        kept: torch.Tensor | None = None,
        **options: Any,
    ) -> torch.Tensor:
        """Return hidden states (batch, tokens, size); the last layer returns those of the ``kept`` tokens, if given."""
        query, key, value = self._project(self.input_layernorm(hidden_states), *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attended, _ = attend_ragged(
            self, query, key, value, attention_mask, scaling=self._scaling, sliding_window=self._window, **options
        )
        attended = attended.flatten(2)
        if self._is_last and kept is not None:
            attended, hidden_states = attended[:, kept], hidden_states[:, kept]
        hidden_states = self.post_attention_layernorm.add(self.o_proj(attended), hidden_states)
        fed = self._feed_forward(self.pre_feedforward_layernorm(hidden_states))
        return self.post_feedforward_layernorm.add(fed, hidden_states)

    def _project(
        self, rows: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values (batch, heads, tokens, head size), with rotary position embeddings."""
        rotated_heads = self._heads + self._key_heads
        projected = self.qkv_proj(rows).unflatten(-1, (-1, self._head_size))
        normed = self._head_norm(projected[:, :, :rotated_heads])
        rotated = normed * cosine.unsqueeze(2)
        halves = (tensor.chunk(2, dim=-1) for tensor in (rotated, normed, sine.unsqueeze(2)))
        (first, second), (first_normed, second_normed), (first_sine, second_sine) = halves
        first.addcmul_(second_normed, first_sine, value=-1)
        second.addcmul_(first_normed, second_sine)
        rotated = rotated.transpose(1, 2)
        value = projected[:, :, rotated_heads:].transpose(1, 2)
        return rotated[:, : self._heads], rotated[:, self._heads :], value

    def _feed_forward(self, rows: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_proj, self.up_proj
        if self._is_fusible and can_fuse(gate) and can_fuse(up):
            converted = rows.to(gate.dtype)
            return self.down_proj(up.multiply(converted, gate.activate(converted))).to(rows.dtype)
        return self.down_proj(self._activate(gate(rows)).mul_(up(rows)))


def can_fuse(linear: nn.Module) -> bool:
    """Return whether fusing the activation with a layer's product is faster: in bfloat16, not in float32."""
    return isinstance(linear, OneDnnLinear) and linear.dtype is torch.bfloat16


def join_linears(linears: list[nn.Linear]) -> nn.Linear:
    """Concatenate linear layers over the same inputs into one, and release the pages of their weights."""
    weight = torch.cat([linear.weight.detach() for linear in linears])
    joined = nn.Linear(weight.shape[1], weight.shape[0], bias=linears[0].bias is not None, device="meta")
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if linears[0].bias is not None:
        joined.bias = nn.Parameter(torch.cat([linear.bias.detach() for linear in linears]), requires_grad=False)
    for linear in linears:
        release_pages(linear.weight)
    return joined


def can_fuse_layers(network: Any) -> bool:
    """Return whether a network has layers of Gemma 3, ragged attention and float32, as fused layers require."""
    config = network.config.get_text_config()
    has_layers = any(isinstance(module, Gemma3DecoderLayer) for module in network.modules())
    return has_layers and get_attention(config) == RAGGED and network.dtype is torch.float32


def has_fused_layers(network: Any) -> bool:
    """Return whether a network has fused layers; those of transformers ignore ``kept`` and compute every token."""
    return any(isinstance(module, FusedGemma3Layer) for module in network.modules())
