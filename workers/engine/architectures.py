"""Kinds of weights, by ``model_type`` of their config, that the engine cannot serve, and the errors of all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

from workers.engine.errors import InsufficientMemoryError, UnsupportedWeightsError, get_reason

log = structlog.get_logger()

# Reasons by prefix of ``model_type``, for weights that do generate text.
REFUSED_KINDS = {
    "gpt_oss": "whose attention has sinks",
    "recurrent_gemma": "whose recurrent layers have no cache that requests can share",
}
# Kinds that are tested to be served: an error of theirs has another cause than the kind.
SERVED_KINDS = {"gemma", "gemma2", "gemma3", "gemma3_text", "llama", "qwen3"}
# Fields of a config that give the size of the cache and of the context.
NEEDED_FIELDS = ("num_hidden_layers", "max_position_embeddings")
# Parts of messages, in lower case, of torch and bitsandbytes where memory is short; only on a GPU has it a type.
SHORTAGES = ("out of memory", "can't allocate memory", "not enough memory", "dispatched on the cpu or the disk")
ADVICE = "name text weights of Gemma 1, 2 or 3, Llama or Qwen 3 instead, such as google/gemma-3-1b-it"


def check_kind(weights_config: Any, name: object) -> None:
    """Refuse weights of a kind that cannot be served, before a tensor is read.

    Args:
        weights_config: their transformers config.
        name: of the weights, or their folder.

    Raises:
        UnsupportedWeightsError: with the reason, and weights to use instead.
    """
    kind, text_config = weights_config.model_type, weights_config.get_text_config()
    reason = next((reason for prefix, reason in REFUSED_KINDS.items() if kind.startswith(prefix)), None)
    if type(weights_config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        reason = "which generate no text from text alone"
    elif getattr(text_config, "use_bidirectional_attention", None) in (True, "all"):
        reason = "whose tokens also see what follows them, which makes embeddings and no text"
    # A refused kind may give some of the fields for each layer apart.
    elif reason is None and (missing := find_missing(text_config)):
        reason = f"whose config lacks {' and '.join(missing)}"
    if reason is not None:
        raise UnsupportedWeightsError(f"{name} holds weights of the kind {kind}, {reason}; {ADVICE}")


def find_missing(text_config: Any) -> list[str]:
    """Return the needed fields that a config does not give for all layers together."""
    missing = []
    for field in NEEDED_FIELDS:
        try:
            value = getattr(text_config, field)
        # Of fields that differ between layers transformers raises an error of its own.
        except (AttributeError, RuntimeError):
            value = None
        if value is None:
            missing.append(field)
    return missing


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
        raise explain_kind(kind, name, error) from error


def explain_kind(kind: str, name: object, error: Exception) -> UnsupportedWeightsError:
    """Return the error, in one line, for weights that transformers or the engine's layers cannot load."""
    reason = get_reason(error)
    if kind in SERVED_KINDS:
        return UnsupportedWeightsError(f"{name} holds weights of the kind {kind}, which cannot be loaded: {reason}")
    return UnsupportedWeightsError(
        f"{name} holds weights of the kind {kind}, which cannot be served here ({reason}); {ADVICE}"
    )
