"""Names of an adapter that was made for multimodal weights, in their text tower, which alone is read.

Tools that train the whole network name a layer of the tower ``model.language_model.layers.0``, older ones
``language_model.model.layers.0``; the tower's own class names it ``model.layers.0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workers.engine.pretrained import TEXT_KEYS

# Names of a layer's weights in PEFT's files begin with this.
PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class TowerNames:
    """Names of the text tower in a network of several towers.

    Args:
        prefix: of the tower's body, such as ``model.language_model.``; the tower's own class has ``model.`` instead.
    """

    prefix: str

    @classmethod
    def find(cls, tensors: Iterable[str]) -> TowerNames | None:
        """Return the names that an adapter's tensors use; None if it was made for weights of text alone."""
        for tensor in tensors:
            if found := re.match(r"(model\.)?language_model\.(model\.)?", tensor.removeprefix(PEFT_PREFIX)):
                return cls(found[0])
        return None

    def map_tensor(self, tensor: str) -> str | None:
        """Return a tensor's name in the text tower; None for tensors of other towers."""
        name = map_name(tensor.removeprefix(PEFT_PREFIX))
        return PEFT_PREFIX + name if name.startswith(("model.layers.", "model.embed_tokens", "lm_head.")) else None

    def name_module(self, module: str) -> str:
        """Return the name, among several towers, of a module of the text tower."""
        if module.startswith("model."):
            return self.prefix + module.removeprefix("model.")
        return "language_model." + module if self.prefix == "language_model.model." else module

    def map_config(self, config: Any, network: Any) -> None:
        """Name the text tower's modules in a PEFT configuration, in place, instead of those of several towers.

        Args:
            config: of the adapter.
            network: the text tower.
        """
        from peft.tuners.tuners_utils import check_target_module_exists

        modules = {name: self.name_module(name) for name, _ in network.named_modules() if name}
        if config.target_modules is not None:
            targets = {name: other for name, other in modules.items() if check_target_module_exists(config, other)}
            config.rank_pattern = choose_values(config.rank_pattern, targets)
            config.alpha_pattern = choose_values(config.alpha_pattern, targets)
            config.target_modules = set(targets)
            config.exclude_modules = config.layers_to_transform = config.layers_pattern = None
        if config.modules_to_save is not None:
            saved = map(map_name, config.modules_to_save)
            config.modules_to_save = [name for name in saved if any(f".{key}".endswith(f".{name}") for key in modules)]
        if config.target_parameters is not None:
            config.target_parameters = list(map(map_name, config.target_parameters))
        if isinstance(config.trainable_token_indices, dict):
            config.trainable_token_indices = {
                map_name(name): tokens for name, tokens in config.trainable_token_indices.items()
            }


def map_name(name: str) -> str:
    """Return the name in the text tower of a module or tensor of several towers."""
    for pattern, replacement in TEXT_KEYS.items():
        mapped, count = re.subn(pattern, replacement, name)
        if count:
            return mapped
    return name


def choose_values(pattern: dict[str, int], targets: dict[str, str]) -> dict[str, int]:
    """Return ranks or alphas by layer of the text tower.

    Args:
        pattern: values by pattern of the names among several towers.
        targets: names among several towers by names in the text tower.
    """
    from peft.utils.other import get_pattern_key

    keys = {name: get_pattern_key(pattern.keys(), other) for name, other in targets.items()}
    return {re.escape(name): pattern[key] for name, key in keys.items() if key in pattern}
