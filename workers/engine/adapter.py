"""Merge of a LoRA adapter (Hu et al. 2021) into its base, so that serving it costs nothing extra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from torch import nn

from workers.engine.errors import get_reason
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError
from workers.weights.folder import ADAPTER_TENSORS, list_file, name_some


def merge_adapter(base: Any, *, folder: Path, adapter: Path) -> Any:
    """Return base weights with an adapter merged into them.

    Args:
        base: the loaded base weights, not quantized.
        folder: of the base weights.
        adapter: the adapter's folder.

    Raises:
        AdapterMismatchError: the adapter was made for other weights.
        AdapterUnreadableError: it is broken, or no LoRA adapter.
        WeightsCorruptError: its tensors are truncated.
    """
    from peft import PeftModel

    made_for = read_adapter_config(adapter).get("base_model_name_or_path")
    given = set(list_file(adapter / ADAPTER_TENSORS))
    is_untied = untie_head(base)
    try:
        adapted = PeftModel.from_pretrained(base, adapter)
        check_tensors(adapted, given)
        # A safe merge copies: tensors that are mapped from the weights' file stay unchanged.
        merged = adapted.merge_and_unload(safe_merge=True)
        return (tie_head(merged) if is_untied else merged).eval()
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise AdapterMismatchError(
            f"adapter {adapter} was made for {made_for} and does not fit {folder}; "
            f"serve it with the weights it was trained on ({get_reason(error)})"
        ) from error


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
    """Tie an untied head to its embedding again unless an adapter has changed one, and return the network.

    If one has changed, the config is set to untied, so that they are saved and loaded as two tensors.
    """
    head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    if head.weight.data_ptr() == embedding.weight.data_ptr():
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
