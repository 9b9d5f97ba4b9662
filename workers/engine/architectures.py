"""Architectures that the engine serves, by ``model_type`` of their config; the refusal and the errors of all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
import torch

from workers.engine.errors import InsufficientMemoryError, UnsupportedWeightsError, get_reason

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Architecture:
    """Architecture of weights that is tested to be served.

    Args:
        name: of the family, as users know it.
        kinds: values of ``model_type`` in its configs.
        example: id of such weights on the hub.
        speed: how it is computed on a CPU.
        notes: what a user should know beside.
    """

    name: str
    kinds: tuple[str, ...]
    example: str
    speed: str
    notes: str = ""


GENERIC = "transformers' layers"
SCREENED = "transformers' layers, screened head"
FUSED = "fused layers, screened head"
TEXT_ALONE = "Only the text network is loaded, without the towers for images and sound."
ARCHITECTURES = (
    Architecture("Gemma 1", ("gemma",), "google/gemma-2b-it", SCREENED),
    Architecture("Gemma 2", ("gemma2",), "google/gemma-2-2b-it", SCREENED),
    Architecture("Gemma 3, text", ("gemma3_text",), "google/gemma-3-1b-it", FUSED),
    Architecture("Gemma 3, multimodal", ("gemma3",), "google/gemma-3-4b-it", FUSED, TEXT_ALONE),
    Architecture("Gemma 3n", ("gemma3n", "gemma3n_text"), "google/gemma-3n-E2B-it", SCREENED, TEXT_ALONE),
    Architecture("Gemma 4", ("gemma4", "gemma4_text"), "google/gemma-4-E2B-it", SCREENED, TEXT_ALONE),
    Architecture(
        "Gemma 4, unified", ("gemma4_unified", "gemma4_unified_text"), "google/gemma-4-12B-it", SCREENED, TEXT_ALONE
    ),
    Architecture("VaultGemma", ("vaultgemma",), "google/vaultgemma-1b", SCREENED),
    Architecture("Llama 2 and 3", ("llama",), "meta-llama/Llama-3.2-1B-Instruct", SCREENED),
    Architecture("Mistral", ("mistral",), "mistralai/Mistral-7B-Instruct-v0.3", SCREENED),
    Architecture("Qwen 3", ("qwen3",), "Qwen/Qwen3-0.6B", SCREENED, "Thinking is turned off."),
    Architecture("Granite", ("granite",), "ibm-granite/granite-3.3-2b-instruct", GENERIC),
    Architecture("Cohere Command R", ("cohere",), "CohereLabs/c4ai-command-r-v01", GENERIC),
)
SERVED_KINDS = frozenset(kind for architecture in ARCHITECTURES for kind in architecture.kinds)
# Parts of messages, in lower case, of torch and bitsandbytes where memory is short; only on a GPU has it a type.
SHORTAGES = ("out of memory", "can't allocate memory", "not enough memory", "dispatched on the cpu or the disk")
ADVICE = "name text weights of Gemma 1 to 4, Llama, Mistral or Qwen 3 instead, such as google/gemma-3-1b-it"


@dataclass(frozen=True, slots=True)
class RefusedKind:
    """Weights that are known not to be served.

    Args:
        name: of the weights, as users know them.
        kinds: values of ``model_type`` in their configs.
        reason: as a relative clause.
    """

    name: str
    kinds: tuple[str, ...]
    reason: str


REFUSED_KINDS = (
    RefusedKind("RecurrentGemma", ("recurrent_gemma",), "whose recurrent layers have no cache that requests can share"),
    RefusedKind("T5Gemma", ("t5gemma", "t5gemma2"), "whose encoder reads a text before its decoder writes one"),
    RefusedKind("PaliGemma", ("paligemma",), "which describe images and generate no text from text alone"),
    RefusedKind("ShieldGemma 2", ("shieldgemma2",), "which judge images and generate no text"),
    RefusedKind(
        "Gemma 4, drafters",
        ("gemma4_assistant", "gemma4_unified_assistant"),
        "which only draft for other weights of Gemma 4",
    ),
    RefusedKind("DiffusionGemma", ("diffusion_gemma",), "which do not generate a text from its start to its end"),
    RefusedKind("EmbeddingGemma 2", ("embedding_gemma2",), "which make embeddings and no text"),
    RefusedKind("GPT-OSS", ("gpt_oss",), "whose attention has sinks"),
)


def check_kind(weights_config: Any, name: object) -> None:
    """Refuse weights of a kind that cannot be served, before a tensor is read.

    Args:
        weights_config: their transformers config.
        name: of the weights, or their folder.

    Raises:
        UnsupportedWeightsError: with the reason, and weights to use instead.
    """
    reason = find_reason(weights_config)
    if reason is not None:
        raise UnsupportedWeightsError(
            f"{name} holds weights of the kind {weights_config.model_type}, {reason}; {ADVICE}"
        )


def find_reason(weights_config: Any) -> str | None:
    """Return why weights cannot be served, as a relative clause; None if they can."""
    kind, text_config = weights_config.model_type, weights_config.get_text_config()
    for refused in REFUSED_KINDS:
        if kind in refused.kinds:
            return refused.reason
    if kind not in SERVED_KINDS:
        return "which is none of those that are tested here"
    if getattr(text_config, "use_bidirectional_attention", None) in (True, "all"):
        return "whose tokens also see what follows them, which makes embeddings and no text"
    return None


@contextmanager
def translate_errors(kind: str, name: object) -> Iterator[None]:
    """Translate what transformers, torch and bitsandbytes raise for weights that they cannot load or batch.

    Args:
        kind: of the weights.
        name: of the weights, or their folder.

    Raises:
        InsufficientMemoryError: too little memory is free.
        UnsupportedWeightsError: these weights cannot be served; a restart would not help.
    """
    try:
        yield
    # Many of these are RuntimeErrors, NotImplementedError among them.
    except (AttributeError, ImportError, LookupError, RuntimeError, TypeError, ValueError) as error:
        log.error("weights_not_loaded", weights=str(name), kind=kind, exc_info=True)
        if any(part in str(error).lower() for part in SHORTAGES):
            raise InsufficientMemoryError(
                f"{name} does not fit the free memory ({get_reason(error)}); "
                "free some, set quantization to int8 or nf4, or name smaller weights"
            ) from error
        # A device that fails may work again after a restart.
        if isinstance(error, torch.AcceleratorError):
            raise
        raise UnsupportedWeightsError(
            f"{name} holds weights of the kind {kind}, which cannot be loaded: {get_reason(error)}"
        ) from error
