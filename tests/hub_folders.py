"""Weights folders as the hub has them: shards, a tower beside the text network, processor files, lists of ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tiny_gemma import build_tiny_family

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Prefixes of the text network's tensors beside a tower: of older weights, and of those that transformers 5 saves.
LAYOUTS = {"old": "language_model.model.", "new": "model.language_model."}
TOWERS = {"old": "vision_tower.weight", "new": "model.vision_tower.weight"}


def build_hub_folder(
    folder: Path, config: PreTrainedConfig, whole: dict[str, Any], *, layout: str, ends: list[int]
) -> Path:
    """Write random weights of a text network in the layout of multimodal weights, in two files.

    Args:
        folder: where the weights folder is made; created when missing.
        config: of the text network.
        whole: fields of the config of the whole network; its text config is added.
        layout: of the tensors' names, ``old`` or ``new``.
        ends: ids that end a generation.
    """
    import torch
    from safetensors.torch import load_file, save_file

    build_tiny_family(folder, config)
    text_config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**whole, "text_config": text_config}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends, "do_sample": True, "top_k": 64}))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    named = {name.replace("model.", LAYOUTS[layout], 1): tensor for name, tensor in tensors.items()}
    named[TOWERS[layout]] = torch.ones(8, 8)
    halves = [dict(list(named.items())[start::2]) for start in (0, 1)]
    files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for file, half in zip(files, halves, strict=True):
        save_file(half, folder / file, metadata={"format": "pt"})
    places = {name: file for file, half in zip(files, halves, strict=True) for name in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    # What only a processor reads, and the template that older weights have only there.
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "Gemma3ImageProcessor"}))
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Gemma3Processor"}))
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    return folder
