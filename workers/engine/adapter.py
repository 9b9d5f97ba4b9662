"""Merge of a LoRA adapter (Hu et al. 2021) into its base, so that serving it costs nothing extra."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from workers.engine.adapter_names import TowerNames
from workers.engine.compat_peft import hide_bitsandbytes
from workers.engine.errors import get_reason
from workers.engine.pretrained import TEXT_KEYS
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError
from workers.weights.folder import ADAPTER_TENSORS, list_file, name_some


def merge_adapter(base: Any, *, folder: Path, adapter: Path) -> Any:
    """Return base weights with an adapter merged into them, in the dtype of the base.

    Args:
        base: the loaded base weights, not quantized.
        folder: of the base weights.
        adapter: the adapter's folder.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
        AdapterUnreadableError: it is broken, or no LoRA adapter.
        WeightsCorruptError: its tensors are truncated.
    """
    is_untied = untie_head(base)
    with hide_bitsandbytes(), explain_mismatch(adapter, folder):
        merged = merge_layers(attach_adapter(base, folder=folder, adapter=adapter))
        return (tie_head(merged) if is_untied else merged).eval()


def attach_adapter(base: Any, *, folder: Path, adapter: Path, is_trainable: bool = False) -> Any:
    """Return a base with an adapter attached to it, which may have been made for the base's multimodal weights.

    Args:
        base: the loaded base weights.
        folder: of the base weights.
        adapter: the adapter's folder.
        is_trainable: whether its training goes on.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
        AdapterUnreadableError: it is broken, or no LoRA adapter.
        WeightsCorruptError: its tensors are truncated.
    """
    read_adapter_config(adapter)
    given = set(list_file(adapter / ADAPTER_TENSORS))
    with explain_mismatch(adapter, folder):
        return _attach(base, adapter, given, is_trainable=is_trainable)


@contextmanager
def explain_mismatch(adapter: Path, folder: Path) -> Iterator[None]:
    """Translate errors of an adapter that does not fit weights; the message names both."""
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        made_for = read_adapter_config(adapter).get("base_model_name_or_path")
        raise AdapterMismatchError(
            f"adapter {adapter} was made for {made_for} and does not fit {folder}; "
            f"use it with the weights it was trained on ({get_reason(error)})"
        ) from error


def _attach(base: Any, adapter: Path, given: set[str], *, is_trainable: bool) -> Any:
    from peft import PeftConfig, PeftModel

    config: Any = PeftConfig.from_pretrained(str(adapter))
    if getattr(config, "layer_replication", None):
        raise ValueError("it repeats layers, which share the base's weights and cannot be merged apart")
    # With the name of the base instead of its folder, PEFT would look for its config on a hub at every checkpoint.
    config.base_model_name_or_path = base.name_or_path
    tower = TowerNames.find(given)
    if tower is not None:
        tower.map_config(config, base)
        given = {name for name in map(tower.map_tensor, given) if name is not None}
    adapted = PeftModel.from_pretrained(
        base,
        str(adapter),
        config=config,
        is_trainable=is_trainable,
        key_mapping=None if tower is None else TEXT_KEYS,
    )
    check_tensors(adapted, {name for name in given if not is_left_out(base, name)})
    return adapted


def is_left_out(network: Any, name: str) -> bool:
    """Tell whether a tensor belongs to a layer that later versions of the network lack, as its output is never used.

    These are keys and values of layers that share those of another layer (Gemma 3n and 4).
    """
    left_out = getattr(network.base_model, "_keys_to_ignore_on_load_unexpected", None) or ()
    return any(f".{part}." in name for part in left_out)


def merge_layers(adapted: Any) -> Any:
    """Merge an attached adapter into its base, in float32, and return the base without it.

    In bfloat16 the change of a weight would be rounded before it is added, and the sum again. Here only the sum is
    rounded, to the dtype of the base.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer, onload_layer

    for layer in adapted.modules():
        if isinstance(layer, BaseTunerLayer):
            with onload_layer(layer):
                merge_layer(layer)
    return adapted.unload()


def merge_layer(layer: Any) -> None:
    """Merge the adapter of one layer into its base, in place."""
    stored = [(parameter, parameter.dtype) for parameter in layer.get_base_layer().parameters(recurse=False)]
    for parameter, _ in stored:
        parameter.data = parameter.data.float()
    # A safe merge copies: tensors that are mapped from the weights' file stay unchanged.
    layer.merge(safe_merge=True)
    for parameter, dtype in stored:
        parameter.data = parameter.data.to(dtype)


def untie_head(network: Any) -> bool:
    """Give a head that is tied to the embedding a parameter of its own, in place, over the same memory.

    Merged into a tied parameter, an adapter of one of the two would change both.

    Returns:
        Whether the head was tied.
    """
    head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    is_tied = head.weight is embedding.weight
    if is_tied:
        head.weight = nn.Parameter(embedding.weight.detach(), requires_grad=False)
    return is_tied


def tie_head(network: Any) -> Any:
    """Tie an untied head to its embedding again unless an adapter has made them differ, and return the network.

    If they differ, the config is set to untied, so that they are saved and loaded as two tensors.
    """
    head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    if head.weight.data_ptr() == embedding.weight.data_ptr() or torch.equal(head.weight, embedding.weight):
        head.weight = embedding.weight
    else:
        network.config.tie_word_embeddings = network.config.get_text_config().tie_word_embeddings = False
    return network


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """Return the config of an adapter.

    Raises:
        AdapterUnreadableError: it is broken, or no LoRA adapter.
    """
    path = adapter / "adapter_config.json"
    try:
        config = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        kind = config["peft_type"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise AdapterUnreadableError(
            f"{path} cannot be read ({error!r}); download or save the adapter again"
        ) from error
    if kind != "LORA":
        raise AdapterUnreadableError(f"{adapter} is an adapter of the kind {kind}; name one of the kind LORA")
    return config


def check_tensors(adapted: Any, given: set[str]) -> None:
    """Refuse an adapter whose tensors are not exactly those that its config implies for the base.

    PEFT only warns of a missing tensor, and puts one in its place that has no effect.

    Raises:
        ValueError: the message names the tensors.
    """
    from peft import get_peft_model_state_dict

    # With embeddings, PEFT would look for the base on the hub; those of the file are in the network's state.
    expected = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if missing := expected - given:
        raise ValueError(f"it lacks {name_some(missing)}")
    if unknown := given - expected - set(adapted.state_dict()):
        raise ValueError(f"nothing there takes {name_some(unknown)}")
