"""Tiny random weights with towers for images and sound, in the layouts that the hub has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tiny_gemma import TURNS, build_tiny_family

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Before the names of the text tower's tensors, in the hub's newer and older layout.
NEWER_LAYOUT, OLDER_LAYOUT = "model.language_model.", "language_model.model."


def build_tiny_multimodal(
    folder: Path,
    config: PreTrainedConfig,
    *,
    layout: str = NEWER_LAYOUT,
    dtype: str = "bfloat16",
    turns: tuple[str, str] = TURNS,
) -> Path:
    """Write random weights in several files: a text tower, and a part of a tower that no text needs.

    Args:
        folder: where the weights folder is made; created when missing.
        config: of the whole network.
        layout: begins the names of the text tower's tensors.
        dtype: of all tensors.
        turns: control tokens that begin and end a turn of the chat.

    Returns:
        The folder.
    """
    import torch
    from huggingface_hub import save_torch_state_dict
    from safetensors.torch import load_file

    build_tiny_family(folder, config.get_text_config(), turns=turns)
    text = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    tensors = {name.replace("model.", layout, 1): tensor for name, tensor in text.items()} | build_tower(torch)
    stored = {name: tensor.to(getattr(torch, dtype)) for name, tensor in tensors.items()}
    save_torch_state_dict(stored, str(folder), max_shard_size="2MB")
    config.dtype = dtype
    config.save_pretrained(folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text("{}")
    return folder


def build_tower(torch: Any) -> dict[str, Any]:
    """Return tensors of a tower whose layer is named as one of the text, with a bound that is a number alone."""
    layer = "vision_tower.encoder.layers.0.self_attn.q_proj"
    return {f"{layer}.linear.weight": torch.ones(32, 32), f"{layer}.input_min": torch.tensor(-4.0)}
