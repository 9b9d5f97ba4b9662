"""Reader of Gemma 3 from llama.cpp's GGUF file: config and tensors with the names and values of transformers."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, GGUFValueType, dequantize
from transformers import Gemma3TextConfig

# Names in transformers by those in llama.cpp.
LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER_NAMES = {"token_embd": "embed_tokens", "output_norm": "norm"}
# Every sixth layer of Gemma 3 attends to the whole context, the others to a window with a RoPE base of its own.
LAYERS_PER_FULL_ATTENTION = 6
WINDOW_ROPE_THETA = 10_000.0


class GemmaReader(GGUFReader):
    """Reads config and tensors of one GGUF file; skips its vocabulary, which takes half a minute to parse."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)

    def read_config(self) -> Gemma3TextConfig:
        """Return the config of the weights."""
        metadata = {name.removeprefix("gemma3."): field.contents() for name, field in self.fields.items() if field.data}
        tokens = {name: metadata[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos", "padding", "unknown")}
        rotations = {"full_attention": metadata["rope.freq_base"], "sliding_attention": WINDOW_ROPE_THETA}
        return Gemma3TextConfig(
            architectures=["Gemma3ForCausalLM"],
            vocab_size=next(int(item.shape[1]) for item in self.tensors if item.name == "token_embd.weight"),
            hidden_size=metadata["embedding_length"],
            intermediate_size=metadata["feed_forward_length"],
            num_hidden_layers=metadata["block_count"],
            num_attention_heads=metadata["attention.head_count"],
            num_key_value_heads=metadata["attention.head_count_kv"],
            head_dim=metadata["attention.key_length"],
            query_pre_attn_scalar=metadata["attention.key_length"],
            max_position_embeddings=metadata["context_length"],
            rms_norm_eps=metadata["attention.layer_norm_rms_epsilon"],
            rope_parameters={kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in rotations.items()},
            sliding_window=metadata["attention.sliding_window"],
            layer_types=[
                "sliding_attention" if number % LAYERS_PER_FULL_ATTENTION else "full_attention"
                for number in range(1, metadata["block_count"] + 1)
            ],
            bos_token_id=tokens["bos"],
            eos_token_id=tokens["eos"],
            pad_token_id=tokens["padding"],
            unk_token_id=tokens["unknown"],
            tie_word_embeddings=True,
            dtype="float32",
        )

    def read_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every tensor in float32, with its name in transformers."""
        for item in self.tensors:
            tensor = torch.from_numpy(dequantize(item.data, item.tensor_type).copy())
            # llama.cpp stores the factor of a norm, transformers the factor minus 1.
            yield rename_tensor(item.name), tensor - 1 if item.name.endswith("norm.weight") else tensor

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> tuple[int, list[Any], list[int], list[Any]]:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind, count = struct.unpack_from("<IQ", self.data, orig_offs)
        end = orig_offs + 12
        if kind == GGUFValueType.STRING:
            for _ in range(count):
                end += 8 + struct.unpack_from("<Q", self.data, end)[0]
        else:
            end += count * self.gguf_scalar_to_np[GGUFValueType(kind)]().itemsize
        return end - orig_offs, [], [], [GGUFValueType.ARRAY]


def rename_tensor(name: str) -> str:
    """Return the name in transformers of a tensor of llama.cpp's Gemma 3."""
    layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if layer is None:
        return f"model.{OUTER_NAMES[name.removesuffix('.weight')]}.weight"
    return f"model.layers.{layer[1]}.{LAYER_NAMES[layer[2]]}.weight"
