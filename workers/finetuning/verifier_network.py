"""Network of a verifier in training: the base with a LoRA adapter, and a two-way head.

Claims are encoded, packed and run by the engine's own code, so training and serving compute the same scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from workers.engine.claim_packing import encode_claims, pack_claims, pool_tokens, run_packed
from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.lora import LoraSettings, save_adapter
from workers.weights.verifier import VERIFIER_HEAD

# Of the outputs "supported" and "unsupported" of an untrained head.
INITIAL_BIAS = (1.0, -1.0)


class VerifierNetwork:
    """Judge of claims that is being trained.

    Args:
        network: causal language network; its upper two thirds of layers get adapters, in place.
        tokenizer: of the weights.
        lora: size of the adapter.
    """

    def __init__(self, network: Any, tokenizer: PromptTokenizer, lora: LoraSettings) -> None:
        layers = network.config.get_text_config().num_hidden_layers
        self.adapted = get_peft_model(network, lora.build_config(range(layers // 3, layers)))
        self.head = nn.Linear(network.config.get_text_config().hidden_size, 2, device=network.device)
        # Every token starts as supported, as most are; a random head would first have to be unlearned.
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor(INITIAL_BIAS))
        self._tokenizer = tokenizer
        self._body = network.base_model

    def list_adapter_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the adapter."""
        return [value for value in self.adapted.parameters() if value.requires_grad]

    def list_head_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the head."""
        return list(self.head.parameters())

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text."""
        return self._tokenizer.count_tokens(text)

    def list_offsets(self, claim: str) -> list[tuple[int, int]]:
        """Return the characters, start and end, of every token of a claim."""
        return self._tokenizer.encode_with_offsets(claim)[1]

    def compute_logits(self, excerpt: str, claims: Sequence[str]) -> list[torch.Tensor]:
        """Return the logits (tokens) of being unsupported: of every claim's tokens, and of the wording after it."""
        packed = pack_claims(encode_claims(self._tokenizer, excerpt, claims))
        outputs = [self.head(hidden) for hidden in run_packed(self._body, packed)]
        return [output[:, 1] - output[:, 0] for output in outputs]

    @torch.inference_mode()
    def score(self, excerpt: str, claims: Sequence[str]) -> list[float]:
        """Return the probability, from 0 to 1, that an excerpt bears out each claim."""
        self.adapted.eval()
        logits = self.compute_logits(excerpt, claims)
        self.adapted.train()
        return [float(torch.sigmoid(-pool_tokens(tokens))) for tokens in logits]

    def get_state(self) -> dict[str, torch.Tensor]:
        """Return the trained tensors."""
        head = {f"head.{name}": tensor for name, tensor in self.head.state_dict().items()}
        return get_peft_model_state_dict(self.adapted, save_embedding_layers=False) | head

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Replace the trained tensors."""
        self.head.load_state_dict({name: state[f"head.{name}"] for name in self.head.state_dict()})
        adapter = {name: tensor for name, tensor in state.items() if not name.startswith("head.")}
        set_peft_model_state_dict(self.adapted, adapter)

    def save(self, folder: Path, *, base: str) -> None:
        """Save adapter and head.

        Args:
            folder: the verifier's folder.
            base: name of the base weights.
        """
        save_adapter(self.adapted, folder, base=base)
        head = {name: tensor.detach().float().cpu().contiguous() for name, tensor in self.head.state_dict().items()}
        save_file(head, folder / VERIFIER_HEAD, {"format": "pt"})
