"""The layers of Gemma 3 on a CPU in few operations: the same numbers, with less started for them.

A decode step of a small network is hundreds of small operations, each of which costs more to start than to compute, and
in a prompt each reads and writes all of it again. Here queries, keys and values come out of one product, a norm is
few operations, and in bfloat16 the activation of the feed-forward is part of its products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.engine.compat_transformers import Gemma3DecoderLayer, Gemma3RMSNorm, get_attention
from workers.engine.cpu.chunked_linear import find_children, pack_side_by_side
from workers.engine.cpu.memory import release_pages
from workers.engine.cpu.onednn import OneDnnLinear
from workers.engine.ragged_attention import RAGGED, attend_ragged

# The activation that oneDNN computes within a product.
ACTIVATION = "gelu_pytorch_tanh"


def fuse_layers(network: Any, prepare: Callable[[nn.Module], None]) -> None:
    """Replace every decoder layer of Gemma 3 and its norms, in place; others stay.

    Args:
        network: whose layers.
        prepare: what is done to each new layer as soon as it is made, so that joined weights are never all there.
    """

    def replace(place: tuple[nn.Module, str, Gemma3DecoderLayer]) -> None:
        module, name, child = place
        layer = FusedGemma3Layer(child)
        prepare(layer)
        setattr(module, name, layer)

    pack_side_by_side(replace, find_children(network, Gemma3DecoderLayer))
    for module, name, norm in find_children(network, Gemma3RMSNorm):
        setattr(module, name, make_norm(norm))


class FusedRMSNorm(nn.Module):
    """The norm of Gemma 3 in few operations.

    Args:
        weight: of the norm as it is multiplied with, (..., size).
        eps: added to the mean of the squares.
    """

    def __init__(self, weight: torch.Tensor, eps: float) -> None:
        super().__init__()
        size = weight.shape[-1]
        # With the sum of the squares in place of their mean.
        self.weight = nn.Parameter(weight.detach() * size**0.5, requires_grad=False)
        self._least = nn.Parameter(weight.new_tensor(eps * size), requires_grad=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., size) of rows (..., size)."""
        return self._divide(rows).mul_(self.weight)

    def add(self, rows: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
        """Return what the norm makes of rows (..., size), added to others."""
        return torch.addcmul(to, self._divide(rows), self.weight)

    def _divide(self, rows: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        return rows * torch.addcmul(self._least, length, length).rsqrt_()


def make_norm(norm: Gemma3RMSNorm) -> FusedRMSNorm:
    """Return a norm of Gemma 3 in few operations."""
    return FusedRMSNorm(1.0 + norm.weight, norm.eps)


class FusedGemma3Layer(nn.Module):
    """A decoder layer of Gemma 3; called as the one that it is made of."""

    def __init__(self, layer: Gemma3DecoderLayer) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self.layer_idx = attention.layer_idx
        # What transformers' own attention asks a layer outside the loop.
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
        """Return (batch, tokens, size) of the same; the last layer only of those that are kept, if any are named."""
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
        """Return queries, keys and values (batch, heads, tokens, head size), rotated to their positions."""
        turned = self._heads + self._key_heads
        projected = self.qkv_proj(rows).unflatten(-1, (-1, self._head_size))
        normed = self._head_norm(projected[:, :, :turned])
        rotated = normed * cosine.unsqueeze(2)
        halves = (each.chunk(2, dim=-1) for each in (rotated, normed, sine.unsqueeze(2)))
        (first, second), (first_normed, second_normed), (first_sine, second_sine) = halves
        first.addcmul_(second_normed, first_sine, value=-1)
        second.addcmul_(first_normed, second_sine)
        rotated = rotated.transpose(1, 2)
        value = projected[:, :, turned:].transpose(1, 2)
        return rotated[:, : self._heads], rotated[:, self._heads :], value

    def _feed_forward(self, rows: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_proj, self.up_proj
        if self._is_fusible and can_fuse(gate) and can_fuse(up):
            narrow = rows.to(gate.dtype)
            return self.down_proj(up.multiply(narrow, gate.activate(narrow))).to(rows.dtype)
        return self.down_proj(self._activate(gate(rows)).mul_(up(rows)))


def can_fuse(linear: nn.Module) -> bool:
    """Return whether a layer computes an activation faster within its product than after it: not in float32."""
    return isinstance(linear, OneDnnLinear) and linear.dtype is torch.bfloat16


def join_linears(linears: list[nn.Linear]) -> nn.Linear:
    """Return one linear layer with the outputs of several, which read the same; their memory is given back."""
    weight = torch.cat([linear.weight.detach() for linear in linears])
    joined = nn.Linear(weight.shape[1], weight.shape[0], bias=linears[0].bias is not None, device="meta")
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if linears[0].bias is not None:
        joined.bias = nn.Parameter(torch.cat([linear.bias.detach() for linear in linears]), requires_grad=False)
    for linear in linears:
        release_pages(linear.weight)
    return joined


def can_fuse_layers(network: Any) -> bool:
    """Return whether a network has Gemma 3's layers, attends as these do and computes in float32, their dtype."""
    config = network.config.get_text_config()
    has_layers = any(isinstance(module, Gemma3DecoderLayer) for module in network.modules())
    return has_layers and get_attention(config) == RAGGED and network.dtype is torch.float32


def has_fused_layers(network: Any) -> bool:
    """Return whether a network's layers take ``kept``: those of transformers compute every token, and ignore it."""
    return any(isinstance(module, FusedGemma3Layer) for module in network.modules())
