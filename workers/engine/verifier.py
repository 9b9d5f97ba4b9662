"""Verifier: weights as a judge of claims, by a LoRA adapter and a two-way head on every token of a claim.

A network without the head over the vocabulary is small; a claim costs one forward pass over it and a share of its
excerpt. The adapter's folder has the head beside PEFT's files, and metadata with the threshold that was chosen on
held-out claims.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from workers.engine.architectures import translate_errors
from workers.engine.claim_packing import EncodedClaims, encode_claims, pack_claims, pool_tokens, run_packed
from workers.engine.config import EngineConfig
from workers.engine.cpu.onednn import round_up_rows
from workers.engine.device import Placement, choose_placement
from workers.engine.loading import choose_linears, load_network
from workers.engine.pretrained import read_config, read_vocabulary
from workers.engine.quantization import uses_onednn
from workers.engine.tokenizer import PromptTokenizer
from workers.evaluation.judgement import JudgedToken, Judgement
from workers.weights.errors import AdapterMismatchError
from workers.weights.fingerprint import Hashes, compute_fingerprint, hash_folder
from workers.weights.folder import check_folder
from workers.weights.verifier import VERIFIER_HEAD, VerifierMetadata

# Claims judged in one forward pass; bounds the attention mask.
MAX_CLAIMS = 16


class Verifier:
    """Judge of claims; implements ``workers.evaluation.verification.ClaimJudge``. Thread-safe: one call at a time.

    Args:
        body: network without its head over the vocabulary, with the verifier's adapter merged.
        head: weight (2, hidden size) and bias (2) of the two-way head; the second output is "unsupported".
        tokenizer: of the weights.
        threshold: smallest probability of a claim that counts as supported.
        mark_threshold: probability below which a claim is marked as a likely hallucination.
        fingerprint: hash of weights, adapter, head and dtype.
        is_padded: whether forward passes are padded to one of few numbers of tokens.
    """

    def __init__(
        self,
        body: Any,
        head: dict[str, torch.Tensor],
        tokenizer: PromptTokenizer,
        *,
        threshold: float,
        mark_threshold: float,
        fingerprint: str,
        is_padded: bool = False,
    ) -> None:
        self.threshold = threshold
        self.mark_threshold = mark_threshold
        self.fingerprint = fingerprint
        self._body = body
        self._is_padded = is_padded
        self._head = {name: tensor.float().to(body.device) for name, tensor in head.items()}
        self._tokenizer = tokenizer
        self._lock = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text."""
        return self._tokenizer.count_tokens(text)

    def judge(self, excerpt: str, claims: Sequence[str]) -> list[Judgement]:
        """Return how probably an excerpt bears out each claim, and each of its tokens."""
        encoded = encode_claims(self._tokenizer, excerpt, claims)
        with self._lock:
            logits = [tokens for group in encoded.split(MAX_CLAIMS) for tokens in self._compute_logits(group)]
        return [self._read_logits(claim, tokens) for claim, tokens in zip(claims, logits, strict=True)]

    @torch.inference_mode()
    def _compute_logits(self, encoded: EncodedClaims) -> list[torch.Tensor]:
        """Return the logits (tokens) of being unsupported: of every claim's tokens, and of the wording after it."""
        packed = pack_claims(encoded, pad_to=round_up_rows) if self._is_padded else pack_claims(encoded)
        return [self._judge_tokens(hidden) for hidden in run_packed(self._body, packed)]

    def _read_logits(self, claim: str, logits: torch.Tensor) -> Judgement:
        offsets = self._tokenizer.encode_with_offsets(claim)[1]
        # The wording after the claim counts for the claim as a whole, but has no place in it.
        doubts = torch.sigmoid(logits[: len(offsets)]).tolist()
        tokens = (JudgedToken(*span, doubt) for span, doubt in zip(offsets, doubts, strict=True))
        return Judgement(float(torch.sigmoid(-pool_tokens(logits))), tuple(tokens))

    def _judge_tokens(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens) of being unsupported, of hidden states (tokens, hidden size)."""
        logits = torch.nn.functional.linear(hidden, self._head["weight"], self._head["bias"])
        return logits[:, 1] - logits[:, 0]


def load_verifier(folder: Path, *, base: Path, tokenizer: PromptTokenizer | None = None) -> Verifier:
    """Load a verifier on the GPU if there is one, else on the CPU, in the dtype that its weights are served in.

    Args:
        folder: adapter, head and metadata, as ``gistmill finetune --task verify`` saves them.
        base: folder of the weights that it was trained on.
        tokenizer: of the base, if it is loaded already.

    Raises:
        WeightsError: the verifier is broken or does not fit the base; the message contains the remedy.
    """
    metadata = VerifierMetadata.read(folder)
    check_folder(base)
    metadata.check_base(base)
    weights_config = read_config(base)
    placement = choose_placement(EngineConfig(weights=str(base)))
    with translate_errors(weights_config.model_type, base):
        network = load_network(base, placement=placement, adapter=folder, device_map=None)
        choose_linears(network, placement, None)(network.base_model)
    return Verifier(
        network.base_model.requires_grad_(False),
        read_head(folder, hidden_size=weights_config.get_text_config().hidden_size),
        tokenizer or PromptTokenizer(read_vocabulary(base)),
        threshold=metadata.threshold,
        mark_threshold=metadata.mark_threshold,
        fingerprint=fingerprint_verifier(folder, metadata, placement),
        is_padded=uses_onednn(network.base_model),
    )


def read_head(folder: Path, *, hidden_size: int) -> dict[str, torch.Tensor]:
    """Return weight (2, hidden size) and bias (2) of a verifier's head.

    Raises:
        AdapterMismatchError: it is broken or has another shape.
    """
    path = folder / VERIFIER_HEAD
    try:
        head = load_file(path)
    except (OSError, SafetensorError) as error:
        raise AdapterMismatchError(f"{path} cannot be read ({error}); train or copy the verifier again") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in head.items()}
    if shapes != {"weight": (2, hidden_size), "bias": (2,)}:
        raise AdapterMismatchError(f"{path} does not fit weights with a hidden size of {hidden_size}: {shapes}")
    return head


def fingerprint_verifier(folder: Path, metadata: VerifierMetadata, placement: Placement) -> str:
    """Return the fingerprint of a verifier as it is served, its threshold included."""
    base = {"base": metadata.base_fingerprint, "thresholds": f"{metadata.threshold} {metadata.mark_threshold}"}
    hashes = Hashes(base, hash_folder(folder))
    return compute_fingerprint(hashes, dtype=placement.dtype_name, quantization=placement.quantization)
